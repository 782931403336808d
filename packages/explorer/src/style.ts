/**
 * The style of all pages, in light and in dark.
 */

/** CSS. */
export const STYLE: string = `
:root {
  --back: #f6f7f9; --card: #ffffff; --ink: #1b1f24; --dim: #566070; --edge: #d9dee5; --accent: #2457d6; --accent-back: #e6edff;
  --bad: #b3141f; --bad-back: #fdeaea; --warn: #8a5a00; --warn-back: #fff3d6; --good: #14713a; --good-back: #e4f6ea; --change: #fff6bf;
  color-scheme: light;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14171c; --card: #1d2128; --ink: #e3e7ed; --dim: #a4aebc; --edge: #333a45; --accent: #8fb0ff; --accent-back: #24304d;
    --bad: #ff8f8f; --bad-back: #4a2024; --warn: #f0c46a; --warn-back: #40331a; --good: #7fd69c; --good-back: #1c3a28; --change: #46421c;
    color-scheme: dark;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
code, pre, kbd, .lane { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.9em; }
header, .text, .index { max-width: 1600px; margin: 0 auto; padding: 1.2rem 1.5rem 0; }
h1 { margin: 0.1rem 0 0.3rem; font-size: 1.5rem; font-weight: 650; display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
h1 code { font-size: 1em; margin-right: 0.4rem; }
h2 { margin: 1.2rem 0 0.5rem; font-size: 0.95rem; color: var(--dim); font-weight: 600; }
h3 { margin: 0 0 0.35rem; font-size: 0.95rem; }
h3 small { color: var(--dim); font-weight: 400; margin-right: 0.4rem; }
header p { margin: 0.2rem 0; }
.kind, .label, small { color: var(--dim); }
.kind { font-size: 0.85rem; }
.chip { display: inline-block; padding: 0 0.5em; border-radius: 1em; border: 1px solid var(--edge); background: var(--card); color: var(--dim);
  font: 500 0.78rem/1.6 system-ui, sans-serif; white-space: nowrap; }
.chip.user { color: var(--accent); border-color: currentcolor; }
.chip.interrupt, .chip.waiting, .chip.stale { color: var(--warn); background: var(--warn-back); border-color: transparent; }
.chip.freed { color: var(--bad); background: var(--bad-back); border-color: transparent; }
.verdict { margin: 0.8rem 0 0 !important; padding: 0.6rem 0.9rem; border-radius: 8px; border: 1px solid var(--edge); border-left: 5px solid var(--bad);
  background: var(--card); }
.verdict strong { color: var(--bad); margin-right: 0.4rem; }
.verdict small { display: block; }
.verdict.reached { background: var(--bad-back); border-color: var(--bad); }
main { max-width: 1600px; margin: 0 auto; padding: 0 1.5rem; display: grid; grid-template-columns: minmax(0, 11fr) minmax(0, 9fr); gap: 0 1.5rem; }
.controls { grid-column: 1 / -1; position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center;
  padding: 0.7rem 0; background: var(--back); border-bottom: 1px solid var(--edge); }
.controls input[type=range] { flex: 1 1 10rem; accent-color: var(--accent); }
.controls output { min-width: 9.5rem; font-variant-numeric: tabular-nums; }
button { font: inherit; color: inherit; min-width: 2.4rem; padding: 0.25rem 0.7rem; border: 1px solid var(--edge); border-radius: 6px; background: var(--card);
  cursor: pointer; }
button:hover, button[aria-selected=true] { border-color: var(--accent); color: var(--accent); }
button[aria-selected=true] { background: var(--accent-back); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
kbd { border: 1px solid var(--edge); border-radius: 4px; padding: 0 0.3em; color: var(--dim); }
.race { padding: 0.8rem 0; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 0.15rem 0.5rem 0.15rem 0; }
th { color: var(--dim); font-weight: 600; font-size: 0.85rem; }
.lanes { table-layout: fixed; background: var(--card); border: 1px solid var(--edge); border-radius: 8px; border-collapse: separate; border-spacing: 0; overflow: hidden; }
.lanes td, .lanes th { padding: 0.28rem 0.6rem; border-bottom: 1px solid var(--edge); overflow-wrap: anywhere; }
.lanes tr:last-child td { border-bottom: 0; }
.lanes .number { width: 3.4rem; text-align: right; color: var(--dim); font-variant-numeric: tabular-nums; }
.lanes .place { width: 24%; font-size: 0.85rem; }
.lanes .place small { display: block; }
.lanes .lane + .lane, .lanes th + th { border-left: 1px solid var(--edge); }
.lanes .step { cursor: pointer; }
.lanes .step:hover { background: var(--accent-back); }
.lanes .future td { color: var(--dim); }
.lanes .now { background: var(--accent-back); box-shadow: inset 4px 0 var(--accent); }
.lanes .irq { padding-left: 1.4rem; }
.lanes .irq::before { content: "irq "; color: var(--warn); }
.lanes .drain::before { content: "~ "; color: var(--warn); }
.lanes .violation td { color: var(--bad); font-weight: 600; }
.lanes .violation.reached td { background: var(--bad-back); }
.lanes .passes td, .lanes .parting td { color: var(--good); font-weight: 600; }
.lanes .parting td { background: var(--good-back); font-size: 0.85rem; }
.state { position: sticky; top: 3.4rem; max-height: calc(100vh - 3.6rem); overflow: auto; align-self: start; padding-bottom: 1rem; }
.stack { display: grid; gap: 0.6rem; }
.grid { display: grid; align-items: start; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 0.6rem; }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 0.55rem 0.8rem; min-width: 0; }
.card.steps { border-color: var(--accent); }
.card td { overflow-wrap: anywhere; }
.line { margin: 0.1rem 0; }
.line .label { display: inline-block; min-width: 6.5rem; }
p.label { margin: 0.4rem 0 0.1rem; font-size: 0.85rem; }
.held td { white-space: nowrap; width: 1px; padding-right: 1rem; }
.held .marks { width: auto; }
.held .away td { color: var(--dim); }
.held .old td { color: var(--warn); }
.held .usable .chip { border-color: currentcolor; }
.held .usable td { color: var(--bad); background: var(--bad-back); font-weight: 600; }
.slots td:first-child, .words td:first-child { width: 45%; color: var(--dim); }
.slots .empty { color: var(--dim); }
.changed td { background: var(--change); }
.text pre { overflow: auto; padding: 0.9rem 1.1rem; background: var(--card); border: 1px solid var(--edge); border-radius: 8px; }
.text { padding-bottom: 2rem; }
.text code { overflow-wrap: anywhere; }
.index td, .index th { padding: 0.45rem 0.8rem 0.45rem 0; border-bottom: 1px solid var(--edge); }
.index td small { display: block; }
.index td:nth-child(n + 2):nth-child(-n + 4) { white-space: nowrap; }
.index strong { color: var(--bad); }
a { color: var(--accent); }
@media (max-width: 1000px) { main { grid-template-columns: minmax(0, 1fr); } .state { position: static; max-height: none; } }
`;
