// Module boundaries: dependency-cruiser over the sources and tests of every package. Its exit code is 0 when it found
// nothing to look at, so the number of modules is demanded here.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const roots = ['packages', 'tools'].flatMap((group) =>
  readdirSync(group).flatMap((name) =>
    group === 'tools' && !existsSync(join(group, name, 'src'))
      ? existsSync(join(group, name, 'package.json'))
        ? [join(group, name)]
        : []
      : ['src', 'test'].map((part) => join(group, name, part)).filter((path) => existsSync(path)),
  ),
);
const { stdout, stderr, status, error } = spawnSync('depcruise', roots, { encoding: 'utf8' });
if (error) throw error;
process.stdout.write(stdout);
process.stderr.write(stderr);
const modules = Number(/(\d+) modules/.exec(stdout)?.[1] ?? 0);
if (modules === 0) console.error('boundaries: dependency-cruiser looked at no module');
process.exitCode = status === 0 && modules > 0 ? 0 : 1;
