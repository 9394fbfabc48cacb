import { git, tryGit } from "../tests/support/git_client.ts";
import { fastImport, history, manyRefs, randomFiles } from "./repository.ts";

/** A repository that is generated: the same bytes each time. */
export interface Sample {
  /** Name of its directory; a change of what is generated needs another one. */
  readonly name: string;
  /** Input of `git fast-import`. */
  readonly stream: () => Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;
  /** Content that does not compress is stored as it is, and not packed again. */
  readonly incompressible?: boolean;
}

/** Names of the repositories git rows ask for. */
export type SampleName = "small" | "big" | "refs" | "heavy" | "huge";

const MIB = 2 ** 20;
const BLOB_BYTES = 4 * MIB;

/** The repositories by name: 20,000 objects, 150,000 objects, 10,000 refs, 500 MiB, 1 GiB; smaller when `quick`. */
export function sampleOf(name: SampleName, quick: boolean): Sample {
  const full = { small: 5_000, big: 37_500, refs: 10_000, heavy: 500, huge: 1_024 };
  const less = { small: 1_000, big: 5_000, refs: 1_000, heavy: 48, huge: 128 };
  const size = (quick ? less : full)[name];
  return { ...SAMPLES[name](size), name: `${name}-${size}-v1` };
}

const SAMPLES: Record<SampleName, (size: number) => Omit<Sample, "name">> = {
  small: (commits) => ({ stream: () => history(commits) }),
  big: (commits) => ({ stream: () => history(commits) }),
  refs: (refs) => ({ stream: () => manyRefs(refs) }),
  heavy: (mib) => ({
    stream: () => randomFiles(mib * MIB / BLOB_BYTES, BLOB_BYTES, 1),
    incompressible: true,
  }),
  huge: (mib) => ({ stream: () => randomFiles(mib * MIB / BLOB_BYTES, BLOB_BYTES, 2), incompressible: true }),
};

/** What a finished sample says about itself, in a file inside it. */
const SEAL = "bench-seal";

/**
 * Path of the bare repository `sample` below `cache`. Builds it when it is not there, or when its refs or packs are
 * not those it was sealed with.
 */
export async function provide(sample: Sample, cache: string): Promise<string> {
  const path = `${cache}/${sample.name}.git`;
  if (await isWhole(path)) return path;
  await Deno.mkdir(cache, { recursive: true });
  const draft = await Deno.makeTempDir({ dir: cache, prefix: `${sample.name}-` });
  try {
    const options = sample.incompressible ? ["-c", "core.compression=0"] : [];
    await fastImport(draft, sample.stream(), options);
    if (!sample.incompressible) await git(draft, "repack", "-a", "-d", "-q");
    await git(draft, "pack-refs", "--all");
    await Deno.writeTextFile(`${draft}/${SEAL}`, await sealOf(draft));
    await Deno.remove(path, { recursive: true }).catch(() => {});
    await Deno.rename(draft, path);
  } catch (error) {
    await Deno.remove(draft, { recursive: true }).catch(() => {});
    throw error;
  }
  return path;
}

async function isWhole(path: string): Promise<boolean> {
  const seal = await Deno.readTextFile(`${path}/${SEAL}`).catch(() => undefined);
  if (seal === undefined || seal !== await sealOf(path).catch(() => undefined)) return false;
  return (await tryGit(path, "fsck", "--connectivity-only", "--no-dangling")).code === 0;
}

/** SHA-256 of the refs, and the packs with their sizes: names of packs are checksums of what they hold. */
async function sealOf(path: string): Promise<string> {
  const refs = await git(path, "for-each-ref", "--format=%(objectname) %(refname)");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(refs));
  const packs: string[] = [];
  for await (const { name } of Deno.readDir(`${path}/objects/pack`)) {
    packs.push(`${name} ${(await Deno.stat(`${path}/objects/pack/${name}`)).size}`);
  }
  return [new Uint8Array(digest).toHex(), ...packs.sort()].join("\n") + "\n";
}
