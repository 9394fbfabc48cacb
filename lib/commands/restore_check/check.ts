import { createGit, type Git, Repositories } from "../../git/mod.ts";
import type { Logger } from "../../observe/mod.ts";
import { openStore, SCHEMA_VERSION, StoredData } from "../../store/mod.ts";
import { type Clock, systemRandom } from "../../world/mod.ts";
import { DATABASE_FILE, findGitTree, GIT_FOLDER, type Manifest, readManifest } from "../backup/mod.ts";
import { causeOf, type CheckResult, resultsOf } from "../check_result.ts";
import type { Progress } from "../progress.ts";
import { fsckAll } from "./fsck.ts";
import { compareRepositories, type Comparison, type Lack } from "./repositories.ts";

/** What to check. Paths are absolute. */
export interface RestoreCheckInput {
  /** A backup; undefined to check the paths of the configuration. */
  readonly directory: string | undefined;
  readonly gitPath: string;
  readonly database: {
    readonly location: string;
    /** On a server of its own, which looks after its files itself. */
    readonly isRemote: boolean;
    readonly authToken?: string;
  };
  readonly gitBinary: string;
  readonly searchPath: string | undefined;
  /** Check the connectivity of every repository too. */
  readonly full: boolean;
  /** Knows clone URLs of this server. */
  readonly isOurs: (url: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly progress: Progress;
}

/** What was found; `toFetch`: what has to be fetched from elsewhere. */
export interface RestoreCheckReport {
  readonly results: readonly CheckResult[];
  readonly toFetch: readonly Lack[];
}

/** Names listed of one sort in a message. */
const SHOWN = 5;

/** Checks a backup, or the data of a server that may be running, without changing anything in it. */
export async function checkRestore(input: RestoreCheckInput): Promise<RestoreCheckReport> {
  const work = await Deno.makeTempDir({ prefix: "ngit-grasp-check-" });
  try {
    return await checkWith(input, work);
  } finally {
    input.progress.done();
    await Deno.remove(work, { recursive: true });
  }
}

async function checkWith(input: RestoreCheckInput, work: string): Promise<RestoreCheckReport> {
  const { directory, clock } = input;
  const manifest = directory === undefined ? undefined : await readManifest(directory);
  if (typeof manifest === "string") {
    return { results: [resultsOf("manifest").fail(manifest)], toFetch: [] };
  }
  const gitPath = directory === undefined ? input.gitPath : `${directory}/${GIT_FOLDER}`;
  const results = manifest ? await manifestResults(manifest, gitPath) : [];
  const git = await createGit({
    binary: input.gitBinary,
    homePath: `${work}/home`,
    clock,
    limits: { maxPushBytes: 0 },
    ...(input.searchPath !== undefined && { searchPath: input.searchPath }),
  });
  let toFetch: readonly Lack[] = [];
  if (manifest?.database === null) {
    results.push(resultsOf("database").skip("not included in this backup: repositories are not compared"));
  } else {
    const checked = await checkDatabase(input, work, manifest);
    results.push(...checked.results);
    if (checked.data) {
      const comparison = await compare(input, checked.data, git, gitPath);
      checked.data.close();
      results.push(...comparisonResults(comparison));
      toFetch = comparison.lacking;
    }
  }
  if (input.full) results.push(await connectivity(input, git, gitPath));
  return { results, toFetch };
}

async function manifestResults(
  { version, finishedAt, git, database }: Manifest,
  gitPath: string,
): Promise<CheckResult[]> {
  const { ok, warn, fail } = resultsOf("manifest");
  const events = database ? `, ${database.events} events` : "";
  const results = [ok(`made by ${version} at ${finishedAt}: ${git.repositories} repositories${events}`)];
  if (git.unreadable.length > 0) {
    results.push(
      warn(`not in this backup, could not be read: ${some(git.unreadable.map(({ path }) => path))}`),
    );
  }
  // Contributed and retired repositories count too, of which the database says less.
  const { length } = (await findGitTree(gitPath)).repositories;
  if (length < git.repositories) {
    results.push(fail(`${length} repositories are here, and the manifest says ${git.repositories}`));
  }
  return results;
}

/** Opens the database; an older schema is migrated in a copy first. */
async function checkDatabase(
  { directory, database, clock, log, progress }: RestoreCheckInput,
  work: string,
  manifest: Manifest | undefined,
): Promise<{ results: CheckResult[]; data?: StoredData }> {
  const { ok, warn, fail } = resultsOf("database");
  progress.stage("checking the database", 0);
  const place = directory === undefined ? database : { location: `${directory}/${DATABASE_FILE}` };
  try {
    let data = await StoredData.open({ ...place, clock, log });
    const damage = directory === undefined && database.isRemote ? [] : await data.damage();
    if (damage.length > 0) {
      data.close();
      return { results: [fail(`damaged: ${some(damage)}`)] };
    }
    const results: CheckResult[] = [];
    if (data.schemaVersion < SCHEMA_VERSION) {
      results.push(
        warn(`schema ${data.schemaVersion} will be migrated to ${SCHEMA_VERSION} at the next start`),
      );
      data = await migratedCopy(data, `${work}/migrated.db`, clock, log);
    }
    const { events, repositories, waiting } = await data.counts();
    if (manifest?.database && manifest.database.events !== events) {
      results.push(fail(`${events} events, and the manifest says ${manifest.database.events}`));
    }
    const inPurgatory = waiting.active + waiting.soft + waiting.states + waiting.pullRequests +
      waiting.placeholders;
    results.push(
      ok(
        `schema ${data.schemaVersion}, ${events} events, ${repositories} repositories, ${inPurgatory} in purgatory`,
      ),
    );
    return { results, data };
  } catch (error) {
    return { results: [fail(causeOf(error))] };
  }
}

async function migratedCopy(data: StoredData, path: string, clock: Clock, log: Logger): Promise<StoredData> {
  try {
    await data.copyTo(path);
  } finally {
    data.close();
  }
  const limits = { defaultFilterLimit: 1, maxFilterLimit: 1 };
  const store = await openStore({ location: path, backend: "libsql", clock, limits, log });
  await store.close();
  return await StoredData.open({ location: path, clock, log });
}

async function compare(
  { clock, log, isOurs, progress }: RestoreCheckInput,
  data: StoredData,
  git: Git,
  gitDataPath: string,
): Promise<Comparison> {
  const repositories = new Repositories({ git, gitDataPath, random: systemRandom, clock, log });
  const { repositories: count } = await data.counts();
  progress.stage("comparing repositories", count);
  return await compareRepositories(data, repositories, isOurs, () => progress.advance());
}

function comparisonResults({ announced, lacking, differing, unannounced }: Comparison): CheckResult[] {
  const { ok, warn, fail } = resultsOf("repositories");
  const results: CheckResult[] = [];
  const gone = lacking.filter(({ missing }) => missing === "repository");
  const partly = lacking.filter(({ missing }) => missing !== "repository");
  if (gone.length > 0) {
    results.push(
      fail(`${gone.length} missing or unreadable: ${some(gone.map(({ repository }) => repository))}`),
    );
  }
  if (partly.length > 0) {
    const names = some(partly.map(({ repository }) => repository));
    results.push(fail(`${partly.length} lack objects their state names: ${names}`));
  }
  if (results.length === 0) results.push(ok(`${announced} announced, everything their states name is there`));
  if (differing.length > 0) {
    results.push(warn(`${differing.length} have refs that differ from their state: ${some(differing)}`));
  }
  if (unannounced.length > 0) {
    results.push(warn(`${unannounced.length} without announcement: ${some(unannounced)}`));
  }
  return results;
}

async function connectivity(input: RestoreCheckInput, git: Git, gitPath: string): Promise<CheckResult> {
  const { ok, fail } = resultsOf("connectivity");
  const { checked, broken } = await fsckAll(git, gitPath, input.progress);
  if (broken.length === 0) {
    return ok(`${checked} repositories, every ref leads to a whole history, every pack is intact`);
  }
  return fail(`${broken.length} of ${checked} broken: ${some(broken)}`);
}

function some(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return names.slice(0, SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
