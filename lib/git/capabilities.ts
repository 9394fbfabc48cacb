import type { Git, GitRunOptions } from "./git.ts";
import { LIST_ALL } from "./ls_refs.ts";
import { type AdvertisedCapabilities, advertisementOf, type Service } from "./ref_advertisement.ts";
import { latin1, RefView } from "./ref_view.ts";

const TIMEOUT_MS = 60_000;
const BRANCH = "refs/heads/any";
const SYMREF = ` symref=HEAD:${BRANCH}`;
const COMMIT = `tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
author nobody <> 0 +0000
committer nobody <> 0 +0000

any
`;

/** Every advertisement there is: pushing has no version 2. */
const ADVERTISEMENTS: readonly (readonly [Service, 0 | 1 | 2])[] = [
  ["git-upload-pack", 0],
  ["git-upload-pack", 1],
  ["git-upload-pack", 2],
  ["git-receive-pack", 0],
  ["git-receive-pack", 1],
];

/**
 * Learns from a throw-away repository below `root` what this git advertises beside refs. Undefined when
 * what we would say of that repository is not what git says, byte for byte: then git is one we do not
 * know. Rejects when git fails.
 */
export async function learnCapabilities(git: Git, root: string): Promise<AdvertisedCapabilities | undefined> {
  const path = await Deno.makeTempDir({ dir: root, prefix: ".capabilities-" });
  const run = async (args: readonly string[], options: Partial<GitRunOptions> = {}) => {
    const result = await git.run(args, { timeoutMs: TIMEOUT_MS, ...options });
    if (result.code !== 0) throw new Error(result.stderr);
    return result.stdout;
  };
  const advertise = (service: Service, version: number) =>
    run(
      [service.slice("git-".length), "--stateless-rpc", "--advertise-refs", path],
      { protocol: `version=${version}` },
    );
  try {
    const branch = BRANCH.slice("refs/heads/".length);
    await run([
      "init",
      "--bare",
      "--quiet",
      "--template=",
      "--object-format=sha1",
      `--initial-branch=${branch}`,
      path,
    ]);
    const oid = await run([`--git-dir=${path}`, "hash-object", "-t", "commit", "-w", "--stdin"], {
      input: COMMIT,
    });
    await run([`--git-dir=${path}`, "update-ref", BRANCH, latin1(oid).trim()]);
    const listing = await run(["upload-pack", "--stateless-rpc", path], {
      input: LIST_ALL,
      protocol: "version=2",
    });
    const texts: Uint8Array[] = [];
    for (const [service, version] of ADVERTISEMENTS) texts.push(await advertise(service, version));
    const view = RefView.parse(listing);
    const capabilities = capabilitiesIn(texts);
    const isOurs = view !== undefined && capabilities !== undefined &&
      ADVERTISEMENTS.every(([service, version], index) =>
        latin1(advertisementOf(view, capabilities, service, version)) === latin1(texts[index]!)
      );
    return isOurs ? capabilities : undefined;
  } finally {
    await Deno.remove(path, { recursive: true }).catch(() => {});
  }
}

function capabilitiesIn(texts: readonly Uint8Array[]): AdvertisedCapabilities | undefined {
  const [upload, , version2, receive] = texts;
  const [before, after] = firstLineOf(upload).split(SYMREF);
  if (before === undefined || after === undefined || version2 === undefined) return undefined;
  return { upload: [before, after], receive: firstLineOf(receive), version2 };
}

/** What stands behind the NUL of the first ref. */
function firstLineOf(text: Uint8Array | undefined): string {
  return /\0([^\n]*)\n/.exec(latin1(text ?? new Uint8Array()))?.[1] ?? "";
}
