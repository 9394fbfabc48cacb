import assert from "node:assert/strict";
import { nsecEncode } from "nostr-tools/nip19";
import {
  formatProblems,
  helpText,
  loadConfig,
  loadRelayKey,
  type RelayKeyConfig,
} from "../../lib/config/mod.ts";
import { permissionWarnings } from "../../lib/config/relay_key.ts";
import { checkConfig } from "../../lib/commands/check_config.ts";
import { systemClock, systemRandom } from "../../lib/world/mod.ts";

const HEX = "7f7ff03d123792d6ac594bfa67bf6d0c0ab55b6b1fdb6249303fe861f1ccba9a";
const NSEC = nsecEncode(Uint8Array.from(HEX.match(/../g)!, (pair) => parseInt(pair, 16)));
const PUBKEY = "17162c921dc4d2518f9a101db33695df1afb56ab82f5ff3e5da6eec3ca5cd917";

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function names(directory: string): Promise<readonly string[]> {
  return (await Array.fromAsync(Deno.readDir(directory))).map((entry) => entry.name);
}

async function keyConfig(cwd: string, env: Record<string, string> = {}): Promise<RelayKeyConfig> {
  const loaded = await loadConfig({ args: [], env, cwd, readTextFile: Deno.readTextFile });
  assert.ok(loaded.ok);
  return loaded.config;
}

Deno.test("C-19 the first start creates the key file with mode 0600 and the second one keeps it", async () => {
  await inDirectory(async (cwd) => {
    const config = await keyConfig(cwd);
    const first = await loadRelayKey(config, cwd, systemRandom);
    assert.ok(first.ok && first.key.source === "generated");
    assert.match(first.warnings.join(), new RegExp(`back this file up.*${first.key.npub}`));
    const path = `${cwd}/.relay-owner.nsec`;
    const written = await Deno.stat(path);
    assert.equal(written.mode! & 0o777, 0o600);
    const second = await loadRelayKey(config, cwd, systemRandom);
    assert.ok(second.ok);
    assert.deepEqual([second.key.source, second.key.pubkey, second.warnings], ["file", first.key.pubkey, []]);
    assert.equal((await Deno.stat(path)).mtime!.getTime(), written.mtime!.getTime());
    assert.deepEqual(await names(cwd), [".relay-owner.nsec"]);
  });
});

Deno.test("two first starts at once end with one and the same key", async () => {
  await inDirectory(async (cwd) => {
    const config = await keyConfig(cwd);
    const keys = await Promise.all([1, 2, 3].map(() => loadRelayKey(config, cwd, systemRandom)));
    assert.equal(new Set(keys.map((loaded) => loaded.ok ? loaded.key.pubkey : "")).size, 1);
  });
});

Deno.test("C-20 blanks around the key in a file are ignored, garbage is refused, open permissions warn", async () => {
  await inDirectory(async (cwd) => {
    const config = await keyConfig(cwd);
    await Deno.writeTextFile(`${cwd}/.relay-owner.nsec`, ` ${NSEC} \n`, { mode: 0o644 });
    const loaded = await loadRelayKey(config, cwd, systemRandom);
    assert.ok(loaded.ok);
    assert.equal(loaded.key.pubkey, PUBKEY);
    assert.match(loaded.warnings.join(), /accessible to others \(mode 0644\)/);
    for (const garbage of ["garbage", "", "0".repeat(64), "x".repeat(10_000)]) {
      await Deno.writeTextFile(`${cwd}/.relay-owner.nsec`, garbage);
      const refused = await loadRelayKey(config, cwd, systemRandom);
      assert.ok(!refused.ok);
      assert.match(refused.problem, /^Invalid nsec in relay owner key file/);
    }
  });
});

Deno.test("C-21 a named key file that is missing is an error and creates nothing", async () => {
  await inDirectory(async (cwd) => {
    const config = await keyConfig(cwd, { NGIT_RELAY_OWNER_NSEC_FILE: "typo.nsec" });
    const loaded = await loadRelayKey(config, cwd, systemRandom);
    assert.ok(!loaded.ok);
    assert.match(loaded.problem, /^Failed to read relay owner key file/);
    assert.deepEqual(await names(cwd), []);
  });
});

Deno.test("the key as value and a named file with another key exclude each other", async () => {
  await inDirectory(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/key`, HEX.replace("7", "6"), { mode: 0o600 });
    const env = { NGIT_RELAY_OWNER_NSEC: NSEC, NGIT_RELAY_OWNER_NSEC_FILE: "key" };
    const refused = await loadRelayKey(await keyConfig(cwd, env), cwd, systemRandom);
    assert.ok(!refused.ok && refused.problem.includes("are different keys"));
    await Deno.writeTextFile(`${cwd}/key`, HEX);
    const loaded = await loadRelayKey(await keyConfig(cwd, env), cwd, systemRandom);
    assert.ok(loaded.ok && loaded.key.source === "option");
  });
});

Deno.test("with the memory backend a generated key is not written", async () => {
  await inDirectory(async (cwd) => {
    const loaded = await loadRelayKey(
      await keyConfig(cwd, { NGIT_DATABASE_BACKEND: "memory" }),
      cwd,
      systemRandom,
    );
    assert.ok(loaded.ok && loaded.key.source === "temporary");
    assert.deepEqual(await names(cwd), []);
  });
});

Deno.test("C-22 the secret key appears in no output", async () => {
  await inDirectory(async (cwd) => {
    const readTextFile = Deno.readTextFile;
    const outputs: string[] = [helpText()];
    for (const secret of [NSEC, HEX]) {
      const env = { NGIT_RELAY_OWNER_NSEC: secret, NGIT_DATABASE_AUTH_TOKEN: secret };
      const faulty = {
        NGIT_OWNER_NPUB: NSEC,
        NGIT_REPOSITORY_WHITELIST: NSEC,
        NGIT_DOMAIN: `https://user:${secret}@example.org`,
        NGIT_SYNC_BOOTSTRAP_RELAY_URL: `wss://user:${secret}@example.org`,
      };
      const args = ["--check-config", `--relay-owner-nsek=${secret}`, secret];
      const loaded = await loadConfig({
        args: [],
        env: { NGIT_RELAY_OWNER_NSEC: secret },
        cwd,
        readTextFile,
      });
      assert.ok(loaded.ok);
      outputs.push(
        Deno.inspect(loaded, { depth: 9 }),
        JSON.stringify(loaded),
        `${loaded.config.relayOwnerNsec}`,
      );
      const refused = await loadConfig({ args, env: { ...env, ...faulty }, cwd, readTextFile });
      assert.ok(!refused.ok);
      outputs.push(formatProblems(refused.problems));
      const check = { cwd, readTextFile, schemaVersion: 1, clock: systemClock };
      outputs.push((await checkConfig({ ...check, args, env: { ...env, ...faulty } })).text);
      outputs.push((await checkConfig({ ...check, args: [], env })).text);
      const dotenv = `NGIT_RELAY_OWNER_NSEC="${secret}\n`;
      const broken = await loadConfig({
        args: [],
        env: {},
        cwd,
        readTextFile: () => Promise.resolve(dotenv),
      });
      assert.ok(!broken.ok);
      outputs.push(formatProblems(broken.problems));
    }
    for (const output of outputs) {
      assert.ok(!output.includes(NSEC.slice(5, 40)), output);
      assert.ok(!output.includes(HEX), output);
    }
  });
});

Deno.test("C-23 hex and nsec forms of the key are the same key; an invalid one exits 1", async () => {
  await inDirectory(async (cwd) => {
    for (const text of [HEX, NSEC, ` ${HEX.toUpperCase()} `]) {
      const loaded = await loadRelayKey(
        await keyConfig(cwd, { NGIT_RELAY_OWNER_NSEC: text }),
        cwd,
        systemRandom,
      );
      assert.ok(loaded.ok);
      assert.equal(loaded.key.pubkey, PUBKEY);
    }
    const refused = await loadConfig({
      args: [],
      env: { NGIT_RELAY_OWNER_NSEC: "nsec1x" },
      cwd,
      readTextFile: Deno.readTextFile,
    });
    assert.ok(!refused.ok);
    assert.equal(refused.exitCode, 1);
    assert.match(formatProblems(refused.problems), /Invalid relay_owner_nsec format/);
  });
});

Deno.test("C-20 a key that root lends through a group or an access list is no cause for a warning", () => {
  const [ours, roots] = [7334, 0];
  const cases: [number, number, number, RegExp | undefined][] = [
    [0o600, ours, ours, undefined],
    [0o640, ours, ours, /mode 0640/],
    [0o440, roots, ours, undefined],
    [0o444, roots, ours, /mode 0444/],
    [0o460, roots, ours, /mode 0460/],
    [0o440, roots, roots, /mode 0440/],
    [0o600, 1000, ours, /another user \(uid 1000\)/],
  ];
  for (const [mode, uid, reader, expected] of cases) {
    const warnings = permissionWarnings("key", { mode, uid }, reader).join();
    if (expected) assert.match(warnings, expected);
    else assert.equal(warnings, "");
  }
});

Deno.test("a key file that others may read, or that belongs to somebody else, is warned about when it is loaded", async () => {
  await inDirectory(async (cwd) => {
    const path = `${cwd}/.relay-owner.nsec`;
    const config = await keyConfig(cwd);
    await Deno.writeTextFile(path, NSEC);
    const warnings = async () => {
      const loaded = await loadRelayKey(config, cwd, systemRandom);
      assert.ok(loaded.ok);
      return loaded.warnings.join("\n");
    };
    for (const mode of [0o600, 0o400, 0o700]) {
      await Deno.chmod(path, mode);
      assert.equal(await warnings(), "", mode.toString(8));
    }
    for (const mode of [0o640, 0o604, 0o620, 0o644, 0o666]) {
      await Deno.chmod(path, mode);
      assert.match(await warnings(), new RegExp(`mode 0${mode.toString(8)}`));
    }
    await Deno.chmod(path, 0o600);
    // Only root may give files away.
    if (Deno.uid() !== 0) return;
    await Deno.chown(path, 12_345, null);
    assert.match(await warnings(), /belongs to another user \(uid 12345\)/);
  });
});

Deno.test("a key among systemd's credentials is found through the option, as %d or as the variable", async () => {
  await inDirectory(async (cwd) => {
    const credentials = `${cwd}/credentials`;
    await Deno.mkdir(credentials);
    await Deno.writeTextFile(`${credentials}/relay-owner`, `${NSEC}\n`, { mode: 0o400 });
    const path = `${credentials}/relay-owner`;
    const dotenv = "NGIT_RELAY_OWNER_NSEC_FILE=${CREDENTIALS_DIRECTORY}/relay-owner\n";
    for (
      const [env, text] of [[{ NGIT_RELAY_OWNER_NSEC_FILE: path }, ""], [{
        CREDENTIALS_DIRECTORY: credentials,
      }, dotenv]] as const
    ) {
      const loaded = await loadConfig({ args: [], env, cwd, readTextFile: () => Promise.resolve(text) });
      assert.ok(loaded.ok);
      const key = await loadRelayKey(loaded.config, cwd, systemRandom);
      assert.ok(key.ok);
      assert.deepEqual([key.key.pubkey, key.warnings], [PUBKEY, []]);
    }
  });
});
