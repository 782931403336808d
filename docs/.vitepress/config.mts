import { defineConfig } from 'vitepress';

export default defineConfig({
  title: 'mmu-gather',
  description: "Linux's TLB-flush batching, executable: checked, replayed, run",
  cleanUrls: true,
  ignoreDeadLinks: false,
  themeConfig: {
    search: { provider: 'local' },
    nav: [{ text: 'API', link: '/api/' }],
    sidebar: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Long runs and reports', link: '/running' },
      { text: 'Scenarios', link: '/scenarios' },
      { text: 'Mutants', link: '/mutants' },
      { text: 'Litmus tests', link: '/litmus' },
      { text: 'The MMU model', link: '/mmu-model' },
      { text: 'The search', link: '/search' },
      { text: 'Batching systems', link: '/batching' },
      { text: 'The RFC of 2021', link: '/rfc-2021' },
      { text: 'Architectures', link: '/architectures' },
      { text: 'Replaying', link: '/replay' },
      { text: 'How well it predicts', link: '/replay-scores' },
      { text: 'What if', link: '/what-if' },
      { text: 'Threads', link: '/threads' },
      { text: 'Your own', link: '/third-parties' },
      { text: 'Historical bugs', link: '/bugs' },
      { text: 'One workload on all', link: '/event-logs' },
      { text: 'A new backend', link: '/new-backend' },
      { text: 'Architecture', link: '/architecture' },
      { text: 'API', link: '/api/' },
    ],
  },
});
