import { deepStrictEqual, doesNotMatch, match, ok, strictEqual } from "node:assert/strict";
import { type ProgramRun, runProgram } from "../commands/support.ts";
import { tryGit } from "../support/git_client.ts";
import { newSigner, type Signer } from "../support/keys.ts";
import { RelayClient } from "../support/relay_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { withTempDirectory } from "../support/temp.ts";
import { expectRefusal, type Hosted, hosted, isServed, type Scene } from "./support.ts";

/** One server and its data; every `run` is a life of it with the given lines in its `.env`. */
class Operator {
  readonly #directory: string;
  #port: number | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get dataPath(): string {
    return `${this.#directory}/data`;
  }

  async run(lines: readonly string[], play: (stage: Scene) => Promise<void>): Promise<string> {
    const server = await this.start(lines);
    try {
      const relay = await RelayClient.connect(server.wsUrl);
      await play({ directory: this.#directory, server, relay });
      await relay.close();
    } catch (error) {
      console.error(server.log.slice(-4_000));
      throw error;
    } finally {
      await server.stop();
    }
    return server.log;
  }

  async start(lines: readonly string[], wrapper: readonly string[] = []): Promise<ServerProcess> {
    await this.configure(lines);
    const port = this.#port === undefined ? {} : { port: this.#port };
    const server = await ServerProcess.start({ dataPath: this.dataPath, wrapper, ...port });
    this.#port = server.port;
    return server;
  }

  async configure(lines: readonly string[]): Promise<void> {
    await Deno.mkdir(this.dataPath, { recursive: true });
    await Deno.writeTextFile(`${this.dataPath}/.env`, lines.join("\n") + "\n");
  }

  /** Runs a command of the program on the stopped server's data, as the operator would. */
  async program(...args: string[]): Promise<ProgramRun> {
    const env = { NGIT_BIND_ADDRESS: `127.0.0.1:${this.#port}` };
    return await runProgram(args, { dataPath: this.dataPath, env });
  }

  /** The same, for commands that must succeed. */
  async command(...args: string[]): Promise<void> {
    const { code, stdout, stderr } = await this.program(...args);
    strictEqual(code, 0, stdout + stderr);
  }

  /** Names in the archive of a key; notes beside the directories left out. */
  async archived({ npub }: Signer): Promise<string[]> {
    const folder = `${this.dataPath}/git/.archive/${npub}`;
    const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
    return entries.map(({ name }) => name).filter((name) => !name.endsWith(".json"));
  }
}

function withOperator(play: (operator: Operator, directory: string) => Promise<void>): Promise<void> {
  return withTempDirectory((directory) => play(new Operator(directory), directory));
}

async function statusOf({ url }: Hosted): Promise<number> {
  const response = await fetch(`${url}/info/refs?service=git-upload-pack`);
  await response.body?.cancel();
  return response.status;
}

async function canClone(repository: Hosted, to: string): Promise<boolean> {
  return (await tryGit(".", "clone", "-q", repository.url, to)).code === 0;
}

Deno.test("a blacklist in .env takes stored repositories and events out of service at the next start, and off the list they can be brought back", () =>
  withOperator(async (operator, directory) => {
    const [alice, bob, mallory] = [newSigner(), newSigner(), newSigner()];
    let ours: Hosted;
    let theirs: Hosted;
    const ids: string[] = [];
    await operator.run([], async (stage) => {
      ours = await hosted(stage, "project", alice);
      theirs = await hosted(stage, "project", bob);
      for (const [author, owner] of [[bob, alice], [mallory, bob]] as const) {
        const tags = [["a", `30617:${owner.pubkey}:project`]];
        const issue = author.sign({ kind: 1621, tags, content: "it fails" });
        strictEqual((await stage.relay.publish(issue)).message, "");
        ids.push(issue.id);
      }
    });
    const lists = [
      `NGIT_REPOSITORY_BLACKLIST=${alice.npub}/project`,
      `NGIT_EVENT_BLACKLIST=${mallory.npub}`,
    ];
    const log = await operator.run(lists, async ({ server, relay }) => {
      strictEqual(await statusOf(ours), 404);
      ok(!await canClone(ours, `${directory}/none`));
      ok(await canClone(theirs, `${directory}/theirs`));
      deepStrictEqual(await relay.query({ authors: [alice.pubkey, mallory.pubkey] }), []);
      strictEqual((await relay.query({ authors: [bob.pubkey], kinds: [30617, 30618] })).length, 2);
      for (const id of ids) ok(!await isServed(relay, id));
      const again = mallory.sign({ kind: 1621, tags: [["a", `30617:${bob.pubkey}:project`]] });
      await expectRefusal(relay, again, /^blocked: Event author npub1\w+ is blacklisted$/);
      const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text();
      match(metrics, /^ngit_repositories_total 1$/m);
    });
    const spoken = log.split("\n").filter((line) => /"purgatory".*blacklist/.test(line))
      .map((line) => JSON.parse(line));
    deepStrictEqual(
      spoken.map(({ msg, retired, hidden }) => [msg, retired, hidden]),
      [
        ["repository retired: blacklisted", undefined, undefined],
        ["blacklists applied to what was stored", 1, 2],
      ],
    );
    for (const word of [`${alice.npub}/project`, ids[1]!]) {
      const { stdout } = await operator.program("why", word);
      match(stdout, /is blacklisted \(NGIT_\w+_BLACKLIST\)[^]*\(operator\)/, word);
    }
    strictEqual((await operator.archived(alice)).length, 1);

    // Without the lines the held events come back through an import.
    await operator.configure([]);
    for (const whom of [`${alice.npub}/project`, mallory.npub]) {
      const file = `${directory}/held-${whom.slice(-6).replace("/", "")}.jsonl`;
      await operator.command("export", "--retired", whom, "--to", file);
      await operator.command("import", "--from", file);
    }
    await operator.run([], async ({ relay }) => {
      ok(await canClone(ours, `${directory}/ours`));
      strictEqual((await relay.query({ authors: [alice.pubkey], kinds: [30617, 30618] })).length, 2);
      for (const id of ids) ok(await isServed(relay, id));
    });
    for (const word of [`${alice.npub}/project`, ...ids]) {
      doesNotMatch((await operator.program("why", word)).stdout, /held back/, word);
    }
    deepStrictEqual(await operator.archived(alice), []);
  }));

/** Kills the server, as a power cut would, once a folder has so many entries. */
function killedAt(folder: string, entries: number): string[] {
  const script = `folder=$1; entries=$2; shift 2
    "$@" & pid=$!
    trap 'kill $pid' TERM
    while kill -0 $pid 2>/dev/null; do
      set -- "$folder"/*
      if [ $# -ge $entries ]; then kill -9 $pid; break; fi
    done
    wait $pid`;
  return ["sh", "-c", script, "sh", folder, String(entries)];
}

Deno.test("a start killed between two retirements is finished by the next one", () =>
  withOperator(async (operator, directory) => {
    const owner = newSigner();
    const names = Array.from({ length: 6 }, (_, index) => `project-${index}`);
    const repositories: Hosted[] = [];
    await operator.run([], async (stage) => {
      for (const name of names) repositories.push(await hosted(stage, name, owner));
    });
    const lists = [`NGIT_REPOSITORY_BLACKLIST=${owner.npub}`];
    const folder = `${operator.dataPath}/git/.archive/${owner.npub}`;
    let killed = 0;
    for (const entries of [3, 8]) {
      const server = await operator.start(lists, killedAt(folder, entries)).catch(() => undefined);
      if (server) await server.stop();
      else killed++;
    }
    ok(killed > 0, "no start was killed");
    await operator.run(lists, async ({ relay }) => {
      deepStrictEqual(await relay.query({ authors: [owner.pubkey] }), []);
      for (const repository of repositories) strictEqual(await statusOf(repository), 404);
    });
    strictEqual((await operator.archived(owner)).length, names.length);
    const file = `${directory}/held.jsonl`;
    await operator.command("export", "--retired", owner.npub, "--to", file);
    await operator.configure([]);
    await operator.command("import", "--from", file);
    await operator.run([], async ({ relay }) => {
      strictEqual((await relay.query({ authors: [owner.pubkey] })).length, 2 * names.length);
      for (const repository of repositories) strictEqual(await statusOf(repository), 200);
    });
  }));
