import assert from "node:assert/strict";
import { hosted, isServed, publish, remoteRefs } from "../scenarios/support.ts";
import { newSigner } from "../support/keys.ts";
import { refsOf } from "../support/git_client.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { withTempDirectory } from "../support/temp.ts";

const SHIPPED = new URL("../../docs/deploy/", import.meta.url).pathname;
const FILTER_MAKER = `${import.meta.dirname}/system_calls.py`;

async function output(command: string, ...args: string[]): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, { args, stdin: "null", stderr: "null" })
      .output();
    return success ? stdout : undefined;
  } catch {
    return undefined; // not installed
  }
}

/** The groups of system calls that systemd knows, by name with `@`. */
function groupsOf(listing: string): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of listing.split("\n")) {
    if (line.startsWith("@")) groups.set(line.trim(), current = []);
    else if (/^\s+[^\s#]/.test(line)) current.push(line.trim());
  }
  return groups;
}

/** What the unit's `SystemCallFilter=` lines allow: the first one adds, those with `~` take away. */
function allowedCalls(unit: string, groups: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const members = (name: string): string[] =>
    name.startsWith("@") ? groups.get(name)!.flatMap(members) : [name];
  const allowed = new Set(members("@default"));
  for (const [, not, words] of unit.matchAll(/^SystemCallFilter=(~?)(.+)$/gm)) {
    for (const call of words!.split(" ").flatMap(members)) {
      if (not) allowed.delete(call);
      else allowed.add(call);
    }
  }
  return allowed;
}

/** bubblewrap with what the unit asks of systemd; undefined when this machine cannot do it. */
async function sandbox(directory: string, dataPath: string): Promise<string[] | undefined> {
  const listing = await output("systemd-analyze", "syscall-filter");
  if (listing === undefined) return undefined;
  const unit = await Deno.readTextFile(`${SHIPPED}ngit-grasp.service`);
  const calls = allowedCalls(unit, groupsOf(new TextDecoder().decode(listing)));
  assert.ok(calls.has("openat") && !calls.has("mount") && !calls.has("chown") && !calls.has("setuid"));
  const families = /^RestrictAddressFamilies=(.+)$/m.exec(unit)![1]!;
  const program = await output("python3", FILTER_MAKER, families.replaceAll(" ", ","), ...calls);
  if (program === undefined) return undefined;
  await Deno.writeFile(`${directory}/filter`, program);
  await Deno.mkdir(dataPath, { recursive: true });
  const places = ["--ro-bind", "/", "/", "--dev", "/dev", "--bind", dataPath, dataPath];
  const user = ["--unshare-user", "--uid", "7334", "--gid", "7334", "--unshare-ipc", "--cap-drop", "ALL"];
  const command = ["bwrap", ...places, ...user, "--die-with-parent"];
  if (await output(command[0]!, ...command.slice(1), "true") === undefined) return undefined;
  const script = `exec "$@" 9<"${directory}/filter"`;
  return ["sh", "-c", script, "sh", ...command, "--seccomp", "9"];
}

Deno.test("M-33 with the unit's system calls, no capability and only its data writable, the server does its work", (t) =>
  withTempDirectory(async (directory) => {
    const dataPath = `${directory}/data`;
    const wrapper = await sandbox(directory, dataPath);
    if (wrapper === undefined) {
      await t.step({
        name: "skipped: bubblewrap, libseccomp or systemd-analyze is missing",
        ignore: true,
        fn: () => {},
      });
      return;
    }
    // A packaged program unpacks itself; this source tree's dependencies are where they are.
    const cache = Deno.env.has("NGIT_GRASP_BIN") ? { XDG_CACHE_HOME: dataPath } : {};
    const server = await ServerProcess.start({ dataPath, wrapper, env: { TMPDIR: dataPath, ...cache } });
    try {
      const relay = await RelayClient.connect(server.wsUrl);
      const repository = await hosted({ directory, server, relay }, "sandboxed");
      const refs = await remoteRefs(directory, repository.url);
      assert.equal(refs["refs/heads/main"], (await refsOf(repository.work))["refs/heads/main"]);
      const list = newSigner().sign({ kind: 10317, tags: [["g", `wss://${server.domain}`]] });
      await publish(relay, list, "");
      assert.ok(await isServed(relay, list.id));
      await relay.close();
      const pid = Number(await Deno.readTextFile(`${dataPath}/relay/.ngit-grasp.lock`));
      const status = new TextDecoder().decode(await output("cat", `/proc/${pid}/status`));
      assert.match(status, /^Seccomp:\s+2$/m);
      assert.match(status, /^NoNewPrivs:\s+1$/m);
      assert.match(status, /^CapEff:\s+0+$/m);
      Deno.kill(pid, "SIGTERM");
      assert.match(await ended(server), /"msg":"stopped"/);
    } catch (error) {
      console.error(server.log.slice(-4_000));
      throw error;
    } finally {
      await server.stop();
    }
  }));

/** The log once the server has ended by itself. */
async function ended(server: ServerProcess): Promise<string> {
  const deadline = Date.now() + 15_000;
  while (!server.log.includes('"stopped"') && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return server.log;
}
