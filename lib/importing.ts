import { resolve } from "node:path";
import { orUndo, undoAll } from "./clean_up.ts";
import type { ImportEngine, ImportInput } from "./commands/mod.ts";
import { databasePath, LiveConfig, remoteDatabaseUrl } from "./config/mod.ts";
import { databasePlace } from "./database_place.ts";
import { createEngine } from "./engine.ts";
import { createGit, Repositories, untouched } from "./git/mod.ts";
import { createVerifier } from "./nostr/mod.ts";
import { noMetrics } from "./observe/mod.ts";
import { claimDirectories, type CleanUp, openStore, StoredData } from "./store/mod.ts";

/**
 * Builds what an import works with, without a server. The data directories are this process's until it
 * is closed; a rehearsal works on a copy of the database instead and changes no repository. Rejects
 * with one sentence that says what stands in the way; nothing is left behind then.
 */
export async function openImport(input: ImportInput): Promise<ImportEngine> {
  return await orUndo(input.log, (cleanUp) => compose(input, cleanUp));
}

async function compose(input: ImportInput, cleanUp: CleanUp): Promise<ImportEngine> {
  const { config, clock, random, log, workPath } = input;
  const metrics = noMetrics();
  const gitDataPath = resolve(config.gitDataPath);
  const database = input.dryRun
    ? { location: await rehearsalDatabase(input) }
    : await claimDatabase(input, cleanUp);
  const git = await createGit({
    binary: config.gitBinary,
    homePath: `${workPath}/home`,
    clock,
    limits: config,
    ...(input.searchPath && { searchPath: input.searchPath }),
  });
  const store = await openStore({ backend: "libsql", ...database, clock, limits: config, log });
  cleanUp.push(() => store.close());
  const repositories = new Repositories({ git, gitDataPath, random, clock, log });
  const verifier = createVerifier({ workers: input.workers, library: config.secp256k1Library, log });
  cleanUp.push(() => verifier.close());
  const { intake } = createEngine({
    live: new LiveConfig(config),
    store,
    repositories,
    ...(input.dryRun && { gitData: untouched(repositories) }),
    verifier,
    clock,
    notify: () => {},
    metrics,
    log,
  });
  cleanUp.push(() => intake.stop());
  return {
    store,
    repositories,
    admit: (event) => intake.admit(event, "import"),
    settled: () => intake.settled(),
    close: () => undoAll(cleanUp, log),
  };
}

/** Takes the data directories; returns where the database is. */
async function claimDatabase({ config, random }: ImportInput, cleanUp: CleanUp) {
  const { statePath } = await claimDirectories(config, cleanUp);
  return await databasePlace(config, statePath, random);
}

/** A copy of the database, or the path of a new one when there is none yet. */
async function rehearsalDatabase({ config, clock, log, workPath }: ImportInput): Promise<string> {
  const copy = `${workPath}/rehearsal.db`;
  if (remoteDatabaseUrl(config) !== undefined) {
    throw new Error("a dry run needs a copy of the database, which one on a server cannot give");
  }
  const location = resolve(databasePath(config));
  if (!await Deno.stat(location).catch(() => undefined)) return copy;
  const data = await StoredData.open({ location, clock, log });
  try {
    await data.copyTo(copy);
  } finally {
    data.close();
  }
  return copy;
}
