// A kernel as a guest: boots it in QEMU, records a program there, and replays the recording here. It shows what a kernel does that is not
// installed, and whether it is predicted. Not part of CI: it wants qemu-system-x86_64, cpio, a static busybox, and some minutes.
//
//     guest KERNEL                                     KERNEL: a bzImage, as /boot/vmlinuz-* is; records some pipes of the shell
//     guest KERNEL --program FILE -- /FILE ARGS        FILE: a static program that the guest shall have
//     --output FILE    where the recording goes (default: guest.dat)
//     --cpus N         CPUs of the guest (default: 2)
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const replay = join(root, 'packages', 'replay');
/** What the recorder needs beside its bundle: what package.json says. */
const LIBRARIES = ['csv-stringify', 'smol-toml', 'uplot'];
const PIPES = ['/bin/sh', '-c', 'for i in 1 2 3 4; do seq 1 500 | sort -n | uniq | wc -l; ls -lR /bin | md5sum; done'];
/** Emulated, a guest is slow. */
const MINUTES = 15;

const INIT = `#!/bin/sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
mkdir /dev/shm; mount -t tmpfs shm /dev/shm; mount -t tmpfs tmp /tmp
mount -t tracefs tracefs /sys/kernel/tracing
echo "guest: Linux $(uname -r), $(nproc) CPUs"
/node/node /replay/record.mjs
stty -F /dev/ttyS1 raw
cat /tmp/recording > /dev/ttyS1
poweroff -f
`;

/** One line, and exit code 2. */
function fail(line) {
  console.error(`guest: ${line}`);
  process.exit(2);
}

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { program: { type: 'string' }, output: { type: 'string' }, cpus: { type: 'string' } },
    });
    const [kernel, ...command] = positionals;
    if (kernel === undefined) fail('which kernel? give a bzImage, as /boot/vmlinuz-* is');
    for (const file of [kernel, values.program]) if (file && !existsSync(file)) fail(`no such file: ${file}`);
    const cpus = Number(values.cpus ?? 2);
    if (!(Number.isInteger(cpus) && cpus >= 1 && cpus <= 64)) fail(`--cpus ${values.cpus}: give 1 to 64`);
    return { kernel, command: command.length > 0 ? command : PIPES, output: 'guest.dat', ...values, cpus };
  } catch (error) {
    return fail(error.message);
  }
}

/** The path of a program that must be there. */
function found(program, from) {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' });
  return stdout.trim() || fail(`${program} is missing: install ${from}`);
}

/** The shared libraries of a program, and its loader. */
function libraries(program) {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  return lines.map((line) => /(\/\S+) \(0x/.exec(line)?.[1]).filter((path) => path !== undefined);
}

function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

/** The initial RAM disk: node, the recorder and a shell. */
function diskOf(folder, { program, command }) {
  const at = (...path) => join(folder, ...path);
  for (const name of ['bin', 'proc', 'sys', 'dev', 'tmp', 'node', 'replay/node_modules'])
    mkdirSync(at(name), { recursive: true });
  copy(found('busybox', 'busybox-static'), at('bin', 'busybox'));
  execFileSync('ln', ['-s', 'busybox', at('bin', 'sh')]);
  copy(process.execPath, at('node', 'node'));
  for (const library of libraries(process.execPath)) copy(library, at(library));
  cpSync(join(replay, 'dist', 'bundle'), at('replay', 'bundle'), { recursive: true });
  for (const name of LIBRARIES)
    cpSync(join(replay, 'node_modules', name), at('replay', 'node_modules', name), {
      recursive: true,
      dereference: true,
    });
  if (program !== undefined) {
    copy(program, at(basename(program)));
    chmodSync(at(basename(program)), 0o755);
  }
  const recorder = `import { record } from './bundle/index.js';
const { events, seconds } = await record({ output: '/tmp/recording', subject: { command: ${JSON.stringify(command)} } });
console.log(\`guest: \${events} events in \${seconds.toFixed(1)} s\`);
`;
  writeFileSync(at('replay', 'record.mjs'), recorder);
  writeFileSync(at('init'), INIT, { mode: 0o755 });
  execFileSync('sh', ['-c', `cd '${folder}' && find . | cpio -o -H newc --quiet | gzip -1 > '${folder}.gz'`]);
  return `${folder}.gz`;
}

function boot(kernel, disk, recording, cpus) {
  const qemu = found('qemu-system-x86_64', 'qemu-system-x86');
  const machine = [
    '-accel',
    'tcg,thread=multi',
    '-cpu',
    'max',
    '-smp',
    `${cpus}`,
    '-m',
    '4G',
    '-nic',
    'none',
    '-no-reboot',
  ];
  const serial = ['-display', 'none', '-serial', 'stdio', '-serial', `file:${recording}`];
  const system = ['-kernel', kernel, '-initrd', disk, '-append', 'console=ttyS0 quiet panic=-1'];
  spawnSync(qemu, [...machine, ...serial, ...system], {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: MINUTES * 60_000,
  });
}

const asked = options();
for (const [program, from] of [
  ['qemu-system-x86_64', 'qemu-system-x86'],
  ['cpio', 'cpio'],
])
  found(program, from);
// What an earlier guest left is not to be taken for what this one records.
rmSync(asked.output, { force: true });
const work = mkdtempSync(join(tmpdir(), 'mmu-gather-guest-'));
try {
  boot(asked.kernel, diskOf(join(work, 'root'), asked), asked.output, asked.cpus);
} finally {
  rmSync(work, { recursive: true, force: true });
}
if (!existsSync(asked.output) || readFileSync(asked.output).length === 0)
  fail('the guest has recorded nothing: its last lines say why');
const { replay: run, summary } = await import(join(replay, 'dist', 'bundle', 'index.js'));
console.log(summary(await run(asked.output)));
