/**
 * `deno task test`: type check, then every test. The last line is `N passed, N failed`, which is
 * what continuous integration reads; the exit code is 0 only when nothing failed.
 *
 * Arguments are passed on to `deno test` (files, `--filter`, ...).
 */
/** Dependencies exactly as committed. */
const LOCK = ["--lock=deno.lock", "--frozen"];

async function run(args: readonly string[], onText?: (text: string) => void): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    stdout: onText ? "piped" : "inherit",
    stderr: "inherit",
    env: { NO_COLOR: "1" },
  }).spawn();
  if (onText) {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      await Deno.stdout.write(new TextEncoder().encode(text));
      onText(text);
    }
  }
  return (await child.status).code;
}

if (await run(["check", "--quiet", ...LOCK, "main.ts", "tests", "bench", ".ci"]) !== 0) {
  console.log("0 passed, 1 failed");
  Deno.exit(1);
}

let tail = "";
const paths = Deno.args.some((arg) => !arg.startsWith("-")) ? [] : ["tests"];
const code = await run(
  ["test", "--no-check", "--no-prompt", ...LOCK, "-P=test", ...paths, ...Deno.args],
  (text) => {
    tail = (tail + text).slice(-20_000);
  },
);
const summary = /\| (\d+) passed.*?\| (\d+) failed(?: \| (\d+) ignored)?/.exec(
  tail.slice(tail.lastIndexOf("\n", tail.length - 2) - 400),
);
const passed = Number(summary?.[1] ?? 0);
const failed = code === 0 ? Number(summary?.[2] ?? 0) : Math.max(1, Number(summary?.[2] ?? 0));
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(code === 0 && passed > 0 ? 0 : 1);
