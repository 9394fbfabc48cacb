import { createGit } from "../../lib/git/mod.ts";
import type { MaintenanceParts } from "../../lib/maintenance/mod.ts";
import type { CurationRules } from "../../lib/policy/mod.ts";
import { systemClock } from "../../lib/world/mod.ts";
import { DOMAIN, type Engine, engine, type EngineOptions } from "../support/engine.ts";
import { git, refsOf } from "../support/git_client.ts";
import { announce, declare, newSigner, type Signer } from "../support/keys.ts";

/** An engine with what maintenance works on. */
export interface Site extends Engine {
  readonly maintenance: MaintenanceParts;
  /** Aborts maintenance. */
  readonly stop: AbortController;
  /** Directory of a repository. */
  path(owner: Signer, identifier: string): string;
}

/** Runs `play` on a fresh engine. */
export async function site(
  play: (site: Site) => Promise<void>,
  rules: Partial<CurationRules> = {},
  options: EngineOptions = {},
): Promise<void> {
  await engine(
    async (base) => {
      const runner = await createGit({
        binary: "git",
        homePath: `${base.directory}/home`,
        clock: systemClock,
        limits: { maxPushBytes: 0 },
      });
      const stop = new AbortController();
      const maintenance: MaintenanceParts = {
        ...base.parts,
        git: runner,
        repositories: base.repositories,
        locks: base.locks,
        rules: base.rules,
        pace: "brisk",
        room: () => Promise.resolve(Infinity),
        signal: stop.signal,
      };
      const path = ({ pubkey: owner }: Signer, identifier: string) =>
        base.repositories.path({ owner, identifier });
      await play({ ...base, maintenance, stop, path });
    },
    rules,
    options,
  );
}

/** Serves the branches of `work` as a repository of `owner`; returns its directory. */
export async function serve(
  { submit, push, path }: Site,
  owner: Signer,
  identifier: string,
  work: string,
  extraTags: readonly (readonly string[])[] = [],
): Promise<string> {
  await submit(announce(owner, identifier, { domain: DOMAIN, extraTags }));
  const refs = await refsOf(work);
  await submit(declare(owner, identifier, refs, { head: "refs/heads/main" }));
  const refused = await push(work, owner.pubkey, identifier, Object.keys(refs));
  if (refused !== "") throw new Error(refused);
  return path(owner, identifier);
}

/** A fresh owner. */
export function someone(): Signer {
  return newSigner();
}

/** A commit of one file on nothing, made by plumbing in `directory`; returns its id. */
export async function looseCommit(directory: string, text: string, parent?: string): Promise<string> {
  const file = await Deno.makeTempFile({ dir: directory });
  try {
    await Deno.writeTextFile(file, text);
    const blob = await git(directory, "hash-object", "-w", file);
    const tree = await feed(directory, ["mktree"], new TextEncoder().encode(`100644 blob ${blob}\tfile\n`));
    return await git(directory, "commit-tree", ...(parent ? ["-p", parent] : []), "-m", text, tree);
  } finally {
    await Deno.remove(file);
  }
}

/** A new work tree whose branch `main` is one commit that takes `count` objects. */
export async function looseTree(directory: string, count: number): Promise<string> {
  await Deno.mkdir(directory, { recursive: true });
  await git(directory, "init", "-q", "-b", "main");
  const numbers = Array.from({ length: count - 2 }, (_, n) => n + 1);
  const blobs = numbers.map((n) => `blob\nmark :${n}\ndata <<E\nfile ${n}\nE\n`).join("");
  const files = numbers.map((n) => `M 100644 :${n} f${n}\n`).join("");
  const commit = "commit refs/heads/main\ncommitter A <a@b> 1700000000 +0000\ndata <<E\nall\nE\n";
  await feed(directory, ["fast-import", "--quiet"], new TextEncoder().encode(`${blobs}${commit}${files}\n`));
  await git(directory, "reset", "-q", "--hard");
  return directory;
}

/** Unpacks everything, as in a tree taken over from another server. */
export async function makeLoose(path: string, scratch: string): Promise<void> {
  for (const { name } of await Array.fromAsync(Deno.readDir(`${path}/objects/pack`))) {
    await Deno.rename(`${path}/objects/pack/${name}`, `${scratch}/${name}`);
    if (name.endsWith(".pack")) {
      await feed(path, ["unpack-objects", "-q"], await Deno.readFile(`${scratch}/${name}`));
    }
  }
}

async function feed(directory: string, args: readonly string[], input: Uint8Array): Promise<string> {
  const child = new Deno.Command("git", {
    args: [...args],
    cwd: directory,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writing = new Blob([input.slice()]).stream().pipeTo(child.stdin);
  const { code, stdout } = await child.output();
  await writing;
  if (code !== 0) throw new Error(`git ${args.join(" ")} failed`);
  return new TextDecoder().decode(stdout).trim();
}

/** Packs and loose objects of a repository. */
export async function countObjects(directory: string): Promise<{ loose: number; packs: number }> {
  const text = await git(directory, "count-objects", "-v");
  const number = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, "m").exec(text)?.[1]);
  return { loose: number("count"), packs: number("packs") };
}
