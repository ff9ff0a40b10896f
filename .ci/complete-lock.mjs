// Completes package-lock.json with the optional packages of other platforms. npm leaves them out of a lock file when the
// registry it asks does not carry them, and then refuses that lock file everywhere (`npm ci`: "Missing … from lock file").
// Versions come from the packages that ask for them, platforms from their names. Run after `npm install` wherever
// `npm ci` complains: node .ci/complete-lock.mjs

import { readFileSync, writeFileSync } from 'node:fs';

const path = 'package-lock.json';
const lock = JSON.parse(readFileSync(path, 'utf8'));
const { packages } = lock;

const systems = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'aix', 'win32'];
const processors = { arm64: 'arm64', x64: 'x64', ia32: 'ia32', arm: 'arm', armv7: 'arm', ppc64: 'ppc64' };
const rarer = { s390x: 's390x', riscv64: 'riscv64', loong64: 'loong64', mips64el: 'mips64el', wasm32: 'wasm32' };

function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = systems.find((system) => words.includes(system));
  const cpu = words.map((word) => ({ ...processors, ...rarer })[word]).find((found) => found !== undefined);
  const libc = words.some((word) => word.startsWith('musl')) ? 'musl' : undefined;
  return { ...(cpu && { cpu: [cpu] }), ...(libc && { libc: [libc] }), ...(os && { os: [os] }) };
}

let added = 0;
for (const [parent, { optionalDependencies = {}, dev }] of Object.entries(packages)) {
  if (parent === '') continue;
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (packages[`${parent}/node_modules/${name}`] || packages[`node_modules/${name}`]) continue;
    if (!/^\d+\.\d+\.\d+[\w.-]*$/.test(version))
      throw new Error(`${parent} asks for ${name} ${version}: no exact version`);
    packages[`node_modules/${name}`] = { version, ...platformOf(name), ...(dev && { dev }), optional: true };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`added ${added} packages`);
