import type { Repositories } from "../../git/mod.ts";
import { encodeNpub, type State } from "../../nostr/mod.ts";
import { type IdentifierView, planRelease, viewOf } from "../../policy/mod.ts";
import type { StoredData } from "../../store/mod.ts";

/** Repositories looked at together; each costs two git processes. */
const TOGETHER = 4;

/** What a repository lacks of what the database says it has. */
export interface Lack {
  /** `<npub>/<identifier>`. */
  readonly repository: string;
  /** The whole repository, or the refs of the governing state whose objects are missing. */
  readonly missing: "repository" | readonly string[];
  /** Clone URLs of the announcement beside ours. */
  readonly elsewhere: readonly string[];
}

/** Repositories compared with the database. */
export interface Comparison {
  /** Announced here, waiting ones included. */
  readonly announced: number;
  readonly lacking: readonly Lack[];
  /** Whole, but with refs that differ from the governing state: they are set right at the next start. */
  readonly differing: readonly string[];
  /** On disk without announcement. */
  readonly unannounced: readonly string[];
}

/** A repository that should be there, and what it should look like. */
interface Expected {
  readonly owner: string;
  readonly identifier: string;
  readonly state: State | undefined;
  readonly elsewhere: readonly string[];
  /** Its announcement waits: the next start creates it when it is missing. */
  readonly waits: boolean;
}

/** Compares all repositories with what `data` says; `isOurs` knows clone URLs of this server. */
export async function compareRepositories(
  data: StoredData,
  repositories: Repositories,
  isOurs: (url: string) => boolean,
  advance: () => void,
): Promise<Comparison> {
  const identifiers = new Set<string>();
  for await (const { tags } of data.eventsOfKinds([30617])) {
    identifiers.add(tags.find(([name]) => name === "d")?.[1] ?? "");
  }
  for (const { identifier } of await data.waitingAnnouncements()) identifiers.add(identifier);
  const lacking: Lack[] = [];
  const differing: string[] = [];
  const announced = new Set<string>();
  for (const identifier of identifiers) {
    const view = viewOf(identifier, await data.readIdentifier(identifier));
    const expected = expectedOf(view, isOurs);
    for (let at = 0; at < expected.length; at += TOGETHER) {
      await Promise.all(
        expected.slice(at, at + TOGETHER).map(async (each) => {
          announced.add(nameOf(each));
          const found = await compareOne(repositories, each);
          if (found === "differs") differing.push(nameOf(each));
          else if (found) lacking.push(found);
        }),
      );
    }
    advance();
  }
  const onDisk = (await repositories.list()).map(nameOf);
  const unannounced = onDisk.filter((name) => !announced.has(name));
  return { announced: announced.size, lacking, differing, unannounced };
}

/** Every hosted repository of one identifier with the state that governs it. */
function expectedOf(view: IdentifierView, isOurs: (url: string) => boolean): Expected[] {
  const hosted = view.announcements.filter((known) => known.hosted && known.waiting?.phase !== "soft");
  const owners = new Set(hosted.map(({ announcement }) => announcement.owner));
  const stored = new Set(view.storedStates.map((state) => state.event.id));
  const { alignments } = planRelease({ ...view, waitingStates: [] }, stored, owners);
  return [...owners].map((owner) => {
    const own = hosted.filter(({ announcement }) => announcement.owner === owner);
    return {
      owner,
      identifier: view.identifier,
      state: alignments.find((alignment) => alignment.owner === owner)?.state,
      elsewhere: own.flatMap(({ announcement }) => announcement.cloneUrls).filter((url) => !isOurs(url)),
      waits: own.every(({ waiting }) => waiting !== undefined),
    };
  });
}

async function compareOne(
  repositories: Repositories,
  expected: Expected,
): Promise<Lack | "differs" | undefined> {
  const { state, elsewhere, waits } = expected;
  const repository = nameOf(expected);
  if (!await repositories.exists(expected)) {
    return waits ? undefined : { repository, missing: "repository", elsewhere };
  }
  if (waits) return undefined;
  try {
    const { refs } = await repositories.readRefs(expected); // first: of a damaged one nothing seems present
    if (!state) return undefined;
    const present = await repositories.present(expected, state.refs.values());
    const missing = [...state.refs].filter(([, oid]) => !present.has(oid)).map(([name]) => name);
    if (missing.length > 0) return { repository, missing, elsewhere };
    const isEqual = [...refs].every(([name, oid]) =>
      !/^refs\/(heads|tags)\//.test(name) || state.symbolic.has(name) || state.refs.get(name) === oid
    ) && [...state.refs].every(([name, oid]) =>
      refs.get(name) === oid
    );
    return isEqual ? undefined : "differs";
  } catch {
    return { repository, missing: "repository", elsewhere }; // git cannot read it
  }
}

function nameOf({ owner, identifier }: { readonly owner: string; readonly identifier: string }): string {
  return `${encodeNpub(owner)}/${identifier}`;
}
