import { createClient } from "@libsql/client";
import { SCHEMA_VERSION } from "../../lib/store/mod.ts";
import { type Clock, systemClock } from "../../lib/world/mod.ts";
import { type Case, file } from "./broken_support.ts";

/** A clock that stands still. */
export function at(iso: string): Clock {
  return { ...systemClock, now: () => Date.parse(iso) };
}

/** A program that answers as git does, and calls itself `version`. */
const fakeGit = (text: string) => file("git", `#!/bin/sh\n${text}\n`, 0o755);

const database = (version: number, createdAt?: number) => async (cwd: string) => {
  await Deno.mkdir(`${cwd}/data/relay`, { recursive: true });
  const client = createClient({ url: `file:${cwd}/data/relay/relay.db` });
  await client.execute("CREATE TABLE events (created_at INTEGER)");
  if (createdAt !== undefined) await client.execute(`INSERT INTO events VALUES (${createdAt})`);
  await client.execute(`PRAGMA user_version = ${version}`);
  client.close();
};

/** Faults of the machine and of what is on its disk. */
export const MACHINE_CASES: readonly Case[] = [
  // the machine
  {
    name: "git path is a file",
    id: "git-data-path",
    prepare: file("f", ""),
    env: { NGIT_GIT_DATA_PATH: "f" },
    says: /^NGIT_GIT_DATA_PATH .*\/f is not a directory/,
  },
  {
    name: "git path below a file",
    id: "git-data-path",
    prepare: file("f", ""),
    env: { NGIT_GIT_DATA_PATH: "f/git" },
    says: /NGIT_GIT_DATA_PATH .*\/f\/git is not a directory/,
  },
  {
    name: "relay path is a file",
    id: "relay-data-path",
    prepare: file("f", ""),
    env: { NGIT_RELAY_DATA_PATH: "f" },
    says: /^NGIT_RELAY_DATA_PATH .*\/f is not a directory/,
  },
  {
    name: "git is missing",
    id: "git",
    env: { NGIT_GIT_BINARY: "/none/git" },
    says: /^git not found \(NGIT_GIT_BINARY=\/none\/git\)/,
  },
  {
    name: "git is too old",
    id: "git",
    prepare: fakeGit("echo git version 2.30.2"),
    env: { NGIT_GIT_BINARY: "./git" },
    says: /^git 2\.30\.2 is too old: 2\.34 or newer is needed/,
  },
  {
    name: "not git",
    id: "git",
    prepare: fakeGit("exit 3"),
    env: { NGIT_GIT_BINARY: "./git" },
    says: /^git could not be run/,
  },
  {
    name: "newer schema",
    id: "database",
    prepare: database(SCHEMA_VERSION + 1),
    says: /schema \d+ is newer than this program knows/,
  },
  { name: "older schema", id: "database", prepare: database(1), status: "warn", says: /will migrate 1→\d/ },
  {
    name: "no database",
    id: "database",
    prepare: async (cwd) => {
      await Deno.mkdir(`${cwd}/data/relay`, { recursive: true });
      await Deno.writeTextFile(`${cwd}/data/relay/relay.db`, "not a database at all, really not".repeat(50));
    },
    says: /^cannot open database at .*relay\.db/,
  },
  {
    name: "damaged pages",
    id: "database",
    prepare: async (cwd) => {
      await database(SCHEMA_VERSION, 5)(cwd);
      using handle = await Deno.open(`${cwd}/data/relay/relay.db`, { write: true });
      await handle.seek(4096, Deno.SeekMode.Start);
      await handle.write(new Uint8Array(2048).fill(0xaa));
    },
    says: /is damaged|cannot open database/,
  },
  {
    name: "clock before the program",
    id: "clock",
    clock: at("2020-01-01T00:00:00Z"),
    says: /^2020-01-01.* is before this program was made/,
  },
  {
    name: "clock far ahead",
    id: "clock",
    clock: at("2099-01-01T00:00:00Z"),
    status: "warn",
    says: /more than ten years after/,
  },
  {
    name: "clock before the data",
    id: "clock",
    prepare: database(SCHEMA_VERSION, Math.floor(Date.now() / 1000) + 9_999),
    status: "warn",
    says: /before the newest stored event/,
  },
  {
    name: "clock before the files",
    id: "clock",
    prepare: database(SCHEMA_VERSION),
    clock: { ...systemClock, now: () => Date.now() - 3_600_000 },
    status: "warn",
    says: /before the database was last written/,
  },
  {
    name: "disk",
    id: "disk",
    env: { NGIT_MIN_FREE_DISK_MB: "999999999" },
    says: /MB free, minimum 999999999 MB/,
  },
  {
    name: "LMDB files",
    id: "state-files",
    prepare: async (cwd) => {
      await Deno.mkdir(`${cwd}/data/relay`, { recursive: true });
      await Deno.writeTextFile(`${cwd}/data/relay/data.mdb`, "x");
    },
    status: "warn",
    says: /data\.mdb belongs to an LMDB database/,
  },
];
