// A component in JavaScript, with an engine in it: files by the imported `wasi:filesystem`, since the language has none.
//
//     app.js files DIRECTORY      writes, reads, lists and removes files; a transcript
//     app.js given WORDS...       arguments, the variables whose names begin with "GUEST", and standard input
//     app.js wait MILLISECONDS    waits by `wasi:clocks`, and says whether it was long enough
//
// What is refused is printed by its code, and ends the program with status 1.

import { getArguments, getEnvironment } from "wasi:cli/environment@0.2.12";
import { getStderr } from "wasi:cli/stderr@0.2.12";
import { getStdin } from "wasi:cli/stdin@0.2.12";
import { getStdout } from "wasi:cli/stdout@0.2.12";
import { now, subscribeDuration } from "wasi:clocks/monotonic-clock@0.2.12";
import { getDirectories } from "wasi:filesystem/preopens@0.2.12";
import { getRandomBytes } from "wasi:random/random@0.2.12";

// The most that a blocking write takes.
const PIECE_BYTES = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function put(stream, bytes) {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    stream.blockingWriteAndFlush(bytes.slice(at, at + PIECE_BYTES));
  }
}

function print(...words) {
  put(getStdout(), encoder.encode(words.join(" ") + "\n"));
}

// All that a stream gives until its end.
function all(stream) {
  const pieces = [];
  for (;;) {
    try {
      pieces.push(...stream.blockingRead(65536n));
    } catch (error) {
      if (error.payload?.tag === "closed") {
        return new Uint8Array(pieces);
      }
      throw error;
    }
  }
}

// What a call is refused with, or "done".
function tried(call) {
  try {
    call();
    return "done";
  } catch (error) {
    return String(error.payload ?? error);
  }
}

const NO_FOLLOW = {};
const READ = { read: true };
const WRITE = { read: true, write: true };

function files(name) {
  const found = getDirectories().find(([, known]) => known === name);
  if (!found) {
    throw new Error(`no directory ${name} was handed over`);
  }
  const [root] = found;
  const text = root.openAt(NO_FOLLOW, "text", { create: true, exclusive: true }, WRITE);
  put(text.writeViaStream(0n), encoder.encode("one\ntwo\nthree\n"));
  print("read:", decoder.decode(all(text.readViaStream(0n))).split("\n"));
  text.write(encoder.encode("TWO"), 4n);
  text.setSize(8n);
  put(text.appendViaStream(), encoder.encode("appended\n"));
  print("then:", decoder.decode(text.read(100n, 0n)[0]).split("\n"));
  print("size:", text.stat().size, text.getType());

  root.createDirectoryAt("folder");
  root.renameAt("text", root, "folder/renamed");
  const binary = root.openAt(NO_FOLLOW, "folder/binary", { create: true }, WRITE);
  const bytes = new Uint8Array(100_000).map((_, index) => index % 251);
  put(binary.writeViaStream(0n), bytes);
  const back = all(binary.readViaStream(0n));
  print("the same:", back.length === bytes.length && back.every((byte, index) => byte === bytes[index]));
  const entries = root.openAt(NO_FOLLOW, "folder", { directory: true }, READ).readDirectory();
  const names = [];
  for (let entry = entries.readDirectoryEntry(); entry; entry = entries.readDirectoryEntry()) {
    names.push(`${entry.type} ${entry.name}`);
  }
  print("found:", names.sort());

  print("absent:", tried(() => root.openAt(NO_FOLLOW, "absent", {}, READ)));
  print("created again:", tried(() => root.createDirectoryAt("folder")));
  print("outside:", tried(() => root.openAt(NO_FOLLOW, "../outside", {}, READ)));
  print("removed:", tried(() => root.removeDirectoryAt("folder")));
  root.unlinkFileAt("folder/renamed");
  root.unlinkFileAt("folder/binary");
  print("removed:", tried(() => root.removeDirectoryAt("folder")));
}

function given(...words) {
  print("words:", words);
  for (const [name, value] of getEnvironment().sort()) {
    if (name.startsWith("GUEST")) {
      print(`${name}=${value}`);
    }
  }
  print("input:", JSON.stringify(decoder.decode(all(getStdin()))));
  print("random bytes:", getRandomBytes(16n).length);
  put(getStderr(), encoder.encode("said on stderr\n"));
}

function wait(milliseconds) {
  const [start, time] = [now(), BigInt(milliseconds) * 1_000_000n];
  subscribeDuration(time).block();
  print("waited:", now() - start >= time);
}

const TASKS = { files, given, wait };

export const run = {
  run() {
    const [, task, ...words] = getArguments();
    if (!(task in TASKS)) {
      print("usage: app.js", Object.keys(TASKS).join("|"), "WORDS...");
      return;
    }
    try {
      TASKS[task](...words);
    } catch (error) {
      print("refused:", String(error.payload ?? error));
      throw undefined;
    }
  },
};
