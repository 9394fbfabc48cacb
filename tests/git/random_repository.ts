import type { Git } from "../../lib/git/mod.ts";

/** Yields numbers from 0 to below `below`, the same ones for the same seed. */
export type Dice = (below: number) => number;

/** A generator that repeats itself for the same seed. */
export function dice(seed: number): Dice {
  let state = (seed + 1) * 0x9e3779b1 >>> 0;
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39) >>> 0;
    state = (state + 0x6d2b79f5) >>> 0;
    return (state >>> 3) % below;
  };
}

/** Names in which the order of bytes, of folders and of prefixes differ. */
const NAMES = [
  "main",
  "a",
  "a-b",
  "a.b",
  "A",
  "feature/x",
  "feature/x-y",
  "feature/x.y",
  "feature-z",
  "f/1/2/3",
  "refs/heads/main",
  "ü☂",
  "zz",
];

/** Everything refs are made of in a random repository. */
export interface Material {
  readonly commits: readonly string[];
  /** Tag objects: of commits, of tags, of a tree. */
  readonly tags: readonly string[];
}

/** Runs git in the repository at `path`; throws when it fails. */
export async function inRepository(
  git: Git,
  path: string,
  args: readonly string[],
  input = "",
): Promise<string> {
  const result = await git.run([`--git-dir=${path}`, ...args], { input, timeoutMs: 30_000 });
  if (result.code !== 0) throw new Error(`git ${args.join(" ")}: ${result.stderr}`);
  return new TextDecoder().decode(result.stdout).trim();
}

/** Writes commits and tags into the repository at `path`, without any ref. */
export async function writeMaterial(git: Git, path: string): Promise<Material> {
  const write = (type: string, text: string) =>
    inRepository(git, path, ["hash-object", "-t", type, "-w", "--stdin"], text);
  const who = "Alice <alice@example.com> 1700000000 +0000";
  const tree = await write("tree", "");
  const commits: string[] = [];
  for (const text of ["one", "two", "three"]) {
    commits.push(await write("commit", `tree ${tree}\nauthor ${who}\ncommitter ${who}\n\n${text}\n`));
  }
  const tag = (object: string, type: string, name: string) =>
    write("tag", `object ${object}\ntype ${type}\ntag ${name}\ntagger ${who}\n\n${name}\n`);
  const first = await tag(commits[0]!, "commit", "first");
  const second = await tag(first, "tag", "second");
  const tags = [first, second, await tag(second, "tag", "third"), await tag(tree, "tree", "of-a-tree")];
  return { commits, tags };
}

/** Fills the repository at `path` with refs of all kinds, packed, loose, both, hidden, symbolic and broken. */
export async function fillRandomly(git: Git, path: string, material: Material, roll: Dice): Promise<void> {
  const { commits, tags } = material;
  const pick = <T>(items: readonly T[]): T => items[roll(items.length)]!;
  const chosen = new Map<string, string>();
  const some = () => {
    for (const name of NAMES) {
      if (roll(2) === 0) chosen.set(`refs/heads/${name}`, pick(commits));
      if (roll(2) === 0) chosen.set(`refs/tags/${name}`, pick([...commits, ...tags, ...tags]));
    }
    for (let n = roll(4); n > 0; n--) {
      chosen.set(`refs/nostr/${String(roll(10)).repeat(64)}`, pick(commits));
      chosen.set(`refs/purgatory/keep/${pick(commits)}`, pick(tags));
    }
    if (roll(3) === 0) chosen.set("refs/notes/commits", pick(commits));
  };
  const write = () =>
    inRepository(
      git,
      path,
      ["update-ref", "--stdin"],
      [...chosen].map(([name, oid]) => `update ${name} ${oid}\n`).join(""),
    );
  some();
  await write();
  if (roll(3) > 0) await inRepository(git, path, ["pack-refs", "--all"]);
  const packed = [...chosen.keys()];
  chosen.clear();
  some();
  await write();
  if (roll(2) === 0 && packed.length > 0) await inRepository(git, path, ["update-ref", "-d", pick(packed)]);
  if (roll(2) === 0) {
    await inRepository(git, path, ["symbolic-ref", "refs/heads/symbolic", "refs/heads/main"]);
    await inRepository(git, path, ["symbolic-ref", "refs/remotes/origin/HEAD", "refs/heads/symbolic"]);
  }
  if (roll(3) === 0) await Deno.writeTextFile(`${path}/refs/heads/broken`, `${"1".repeat(40)}\n`);
  await Deno.writeTextFile(`${path}/HEAD`, pick(headsFor(material)));
}

/** What HEAD may hold: a branch, nothing yet, a commit, a tag, a symbolic ref, nonsense. */
function headsFor({ commits, tags }: Material): readonly string[] {
  return [
    "ref: refs/heads/main\n",
    "ref: refs/heads/main\n",
    "ref: refs/heads/a\n",
    "ref: refs/heads/nobody\n",
    "ref: refs/heads/symbolic\n",
    "ref: refs/heads/broken\n",
    "ref: refs/purgatory/keep/x\n",
    `${commits[0]}\n`,
    `${tags[2]}\n`,
    `${"2".repeat(40)}\n`,
  ];
}
