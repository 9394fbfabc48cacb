import assert from "node:assert/strict";
import { createClient } from "@libsql/client";
import { checkConfig, type CheckConfigInput, type CheckReport } from "../../lib/commands/check_config.ts";
import { type Clock, systemClock } from "../../lib/world/mod.ts";
import { installedSecp256k1 } from "../support/secp256k1.ts";

const SCHEMA = 2;

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function check(
  cwd: string,
  args: readonly string[],
  more: Partial<CheckConfigInput> = {},
): Promise<CheckReport> {
  return checkConfig({
    // Without sync it needs no more of the network than tests are given.
    args: ["--check-config", "--bind-address=127.0.0.1:0", "--no-sync-enable", ...args],
    env: { PATH: Deno.env.get("PATH") },
    cwd,
    readTextFile: Deno.readTextFile,
    schemaVersion: SCHEMA,
    clock: systemClock,
    ...more,
  });
}

/** Lines `<id> <STATUS> …` of one check. */
function lines(report: Pick<CheckReport, "text">, id: string): readonly string[] {
  return report.text.split("\n").filter((line) => line.startsWith(`${id} `)).map((line) =>
    line.replace(/\s+/g, " ")
  );
}

/** Every file below `directory` with its bytes. */
async function snapshot(directory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) found.push(path, ...await snapshot(path));
    else found.push(`${path} ${(await Deno.readFile(path)).toHex()}`);
  }
  return found.toSorted();
}

async function databaseWith(path: string, version: number): Promise<void> {
  await Deno.mkdir(path, { recursive: true });
  const client = createClient({ url: `file:${path}/relay.db` });
  await client.execute("CREATE TABLE events (created_at INTEGER)");
  await client.execute(`PRAGMA user_version = ${version}`);
  client.close();
}

Deno.test("C-31 a valid configuration passes and nothing on disk changes", async () => {
  await inDirectory(async (cwd) => {
    const fresh = await check(cwd, []);
    assert.equal(fresh.exitCode, 0, fresh.text);
    assert.deepEqual(await snapshot(cwd), []);
    await databaseWith(`${cwd}/data/relay`, SCHEMA);
    await Deno.mkdir(`${cwd}/data/git`);
    const before = await snapshot(cwd);
    const report = await check(cwd, []);
    assert.equal(report.exitCode, 0, report.text);
    assert.match(lines(report, "database").join(), /database ok .*schema 2/);
    assert.deepEqual(await snapshot(cwd), before);
  });
});

Deno.test("C-31 a database with an unfinished log is judged by it and left as it is", async () => {
  await inDirectory(async (cwd) => {
    await Deno.mkdir(`${cwd}/data/relay`, { recursive: true });
    const client = createClient({ url: `file:${cwd}/data/relay/relay.db` });
    try {
      await client.execute("PRAGMA journal_mode = WAL");
      await client.execute("CREATE TABLE events (created_at INTEGER)");
      await client.execute("PRAGMA user_version = 9");
      const before = await snapshot(cwd);
      assert.match(lines(await check(cwd, []), "database").join(), /schema 9 is newer/);
      assert.deepEqual(await snapshot(cwd), before);
    } finally {
      client.close();
    }
  });
});

Deno.test("C-32 five independent faults are all reported; strict fails on a lone warning", async () => {
  await inDirectory(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/occupied`, "a file, not a directory");
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const port = (taken.addr as Deno.NetAddr).port;
      const report = await checkConfig({
        args: [
          "--check-config",
          "--nonsense",
          `--bind-address=127.0.0.1:${port}`,
          "--git-data-path=occupied",
        ],
        env: { NGIT_GIT_BINARY: "/nonexistent/git", NGIT_EVENT_BLACKLIST: "foo" },
        cwd,
        readTextFile: Deno.readTextFile,
        schemaVersion: SCHEMA,
        clock: systemClock,
      });
      for (const id of ["options", "lists", "git", "port", "git-data-path"]) {
        assert.match(lines(report, id).join(), /FAIL/, id);
      }
      assert.equal(report.exitCode, 1);
    } finally {
      taken.close();
    }
    assert.equal((await check(cwd, ["--strict"])).exitCode, 1);
  });
});

Deno.test("C-27 a git that does not exist fails with its name", async () => {
  await inDirectory(async (cwd) => {
    const report = await check(cwd, ["--git-binary=/nonexistent"]);
    assert.match(lines(report, "git").join(), /git FAIL git not found \(NGIT_GIT_BINARY=\/nonexistent\)/);
  });
});

Deno.test("what checks signatures is named; a library that cannot is a failure", async () => {
  await inDirectory(async (cwd) => {
    const verdict = async (...args: string[]) => lines(await check(cwd, args), "signatures").join();
    const found = installedSecp256k1 ?? "WebAssembly";
    assert.equal(await verdict(), `signatures ok checked by ${found}`);
    assert.equal(await verdict("--secp256k1-library=OFF"), "signatures ok checked by WebAssembly");
    assert.match(
      await verdict("--secp256k1-library=/nonexistent/lib.so"),
      /^signatures FAIL NGIT_SECP256K1_LIBRARY: \/nonexistent\/lib\.so cannot be loaded as libsecp256k1/,
    );
    const relative = await check(cwd, ["--secp256k1-library=lib.so"]);
    assert.match(
      lines(relative, "options").join(),
      /invalid value 'lib\.so' for NGIT_SECP256K1_LIBRARY: expected an absolute path, or off/,
    );
    assert.match(lines(relative, "signatures").join(), /NGIT_SECP256K1_LIBRARY is not valid/);
  });
});

Deno.test("C-34 an older schema is a warning with both versions, a newer one and a damaged file fail", async () => {
  await inDirectory(async (cwd) => {
    await databaseWith(`${cwd}/old`, 1);
    const older = await check(cwd, ["--relay-data-path=old"]);
    assert.match(lines(older, "database").join(), /database warn .*will migrate 1→2/);
    assert.equal(older.exitCode, 0);
    await databaseWith(`${cwd}/new`, 7);
    const newer = await check(cwd, ["--relay-data-path=new"]);
    assert.match(
      lines(newer, "database").join(),
      /database FAIL .*schema 7 is newer than this program knows \(2\)/,
    );
    assert.equal(newer.exitCode, 1);
    await Deno.mkdir(`${cwd}/bad`);
    await Deno.writeTextFile(
      `${cwd}/bad/relay.db`,
      "this is not a database, whatever its name says".repeat(50),
    );
    assert.match(
      lines(await check(cwd, ["--relay-data-path=bad"]), "database").join(),
      /FAIL cannot open database at/,
    );
  });
});

Deno.test("C-35 a data directory in use fails, or warns with --allow-running", async () => {
  await inDirectory(async (cwd) => {
    await Deno.mkdir(`${cwd}/data/relay`, { recursive: true });
    const script = `const f = await Deno.open(Deno.args[0], {create: true, write: true}); await f.lock(true);
      await f.write(new TextEncoder().encode("4242")); console.log("locked"); await new Promise((r) => setTimeout(r, 60000));`;
    const holder = new Deno.Command(Deno.execPath(), {
      args: ["eval", script, `${cwd}/data/relay/.ngit-grasp.lock`],
      stdout: "piped",
    }).spawn();
    try {
      const reader = holder.stdout.getReader();
      await reader.read();
      await reader.cancel();
      assert.match(lines(await check(cwd, []), "database").join(), /FAIL .* is in use by pid 4242/);
      assert.match(
        lines(await check(cwd, ["--allow-running"]), "database").join(),
        /warn .* is in use by pid 4242/,
      );
    } finally {
      holder.kill("SIGKILL");
      await holder.status;
    }
  });
});

Deno.test("C-36 a clock before the program was made fails", async () => {
  await inDirectory(async (cwd) => {
    const clock: Clock = { ...systemClock, now: () => Date.UTC(2020, 0, 1) };
    const report = await check(cwd, [], { clock });
    assert.match(lines(report, "clock").join(), /FAIL 2020-01-01/);
    assert.equal(report.exitCode, 1);
  });
});

Deno.test("C-37 missing permissions are listed by flag, broader ones are a warning", async () => {
  await inDirectory(async (cwd) => {
    assert.match(lines(await check(cwd, []), "permissions").join(), /permissions warn broader than needed/);
    const root = new URL("../../", import.meta.url).pathname;
    const script = `import { checkConfig } from "${root}lib/commands/check_config.ts";
      import { systemClock } from "${root}lib/world/mod.ts";
      const { text } = await checkConfig({ args: ["--check-config"], env: { NGIT_SYNC_ENABLE: "false", NGIT_RELAY_OWNER_NSEC: "1".repeat(64) }, cwd: ${
      JSON.stringify(cwd)
    },
        readTextFile: Deno.readTextFile, schemaVersion: 1, clock: systemClock });
      console.log(text);`;
    await Deno.writeTextFile(`${cwd}/run.ts`, script);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        `--config=${root}deno.json`,
        "--allow-env=NGIT_*",
        `--allow-read=${cwd}`,
        `${cwd}/run.ts`,
      ],
    }).output();
    const text = new TextDecoder().decode(stdout);
    const report = lines({ text }, "permissions").join("\n");
    for (
      const flag of [
        "--allow-net=127.0.0.1:7334",
        `--allow-write=${cwd}/data/git`,
        `--allow-write=${cwd}/data/relay`,
        "--allow-env=PATH",
        "--allow-ffi=",
        "--allow-run=git",
        "--allow-sys=statfs",
      ]
    ) {
      assert.ok(
        report.includes(`missing permission: ${flag}`),
        `${flag}\n${text}${new TextDecoder().decode(stderr)}`,
      );
    }
    assert.ok(!report.includes("--allow-read"), report);
    assert.ok(!report.includes("secp256k1"), `the server can do without: ${report}`);
  });
});

Deno.test("--check-config shows effective values with their sources, and files of other programs", async () => {
  await inDirectory(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/.env`, "\nNGIT_RELAY_DESCRIPTION=hello\n");
    await Deno.mkdir(`${cwd}/data/git`, { recursive: true });
    await Deno.writeTextFile(`${cwd}/data/git/purgatory-state.json`, "{}");
    const report = await check(cwd, ["--domain=git.example.org"]);
    assert.match(report.text, /^CHECK +STATUS +MESSAGE$/m);
    assert.match(report.text, /^NGIT_DOMAIN +git\.example\.org +cli$/m);
    assert.match(report.text, /^NGIT_RELAY_DESCRIPTION +hello +\.env:2$/m);
    assert.match(report.text, /^NGIT_RELAY_NAME +git\.example\.org grasp relay +derived$/m);
    assert.match(lines(report, "state-files").join(), /warn .*purgatory-state\.json .* will be imported/);
  });
});

Deno.test("--check-config asks a git that hangs and a database server that is slow at the same time, and gives both up", async () => {
  await inDirectory(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/git`, "#!/bin/sh\ntrap '' TERM\nsleep 60 & wait; sleep 60\n", {
      mode: 0o755,
    });
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async () => {
      await systemClock.sleep(10);
      return new Response("{", { status: 500 });
    });
    const pending = new Set<number>();
    const together: number[][] = [];
    const clock: Clock = {
      ...systemClock,
      sleep: async (ms, signal) => {
        pending.add(ms);
        together.push([...pending]);
        await systemClock.sleep(ms / 10, signal);
        pending.delete(ms);
      },
    };
    const url = `http://127.0.0.1:${server.addr.port}`;
    const report = await check(cwd, ["--git-binary=./git", `--database-url=${url}`], { clock });
    await server.shutdown();
    assert.match(lines(report, "git").join(), /git FAIL git did not tell its version within 4 s/);
    assert.match(lines(report, "database").join(), /database FAIL cannot open database/);
    assert.ok(
      together.some((lengths) => lengths.includes(4_000) && lengths.includes(8_000)),
      String(together),
    );
  });
});
