// Runs a Preview 1 module in Node's own WASI, for `cargo xtask bench`: MODULE HOST_DIRECTORY GUEST_DIRECTORY ARGS…
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const [module, hostDirectory, guestDirectory, ...args] = process.argv.slice(2);
const wasi = new WASI({
  version: 'preview1',
  args: [module, ...args],
  env: {},
  preopens: { [guestDirectory]: hostDirectory },
});
const compiled = await WebAssembly.compile(await readFile(module));
const instance = await WebAssembly.instantiate(compiled, wasi.getImportObject());
process.exitCode = wasi.start(instance);
