/** A flag that belongs to one sub-command. */
export interface SubcommandFlag {
  /** Name of its value, such as `DIR`, or its possible values, `text|json`; a flag without one is a switch. */
  readonly value?: string;
  /** One sentence without its full stop. */
  readonly help: string;
}

/** What the command line of a sub-command looks like. Server options are accepted beside it. */
export interface SubcommandRow {
  /** One line for the list of commands, without full stop. */
  readonly summary: string;
  /** Words it takes beside flags, as shown in its usage: `<JOB>`, `[FILE]`. */
  readonly words?: readonly string[];
  readonly flags: Readonly<Record<`--${string}`, SubcommandFlag>>;
}

/** Sub-commands by name. */
export type SubcommandTable = Readonly<Record<string, SubcommandRow>>;

const FORMAT = {
  "--format": { value: "text|json", help: "How the result is printed; text is the default" },
} as const;

/** Every command beside serving and checking; `lib/commands/` holds what they do. */
export const SUBCOMMANDS = {
  backup: {
    summary: "copy everything while the server serves",
    flags: {
      "--to": { value: "TARGET", help: "Directory, or file ending in .tar, .tar.gz or .tgz; must not exist" },
      "--include-key": { help: "Copy the secret key of the relay too" },
      "--git-only": { help: "Leave the database out; needed with a remote one" },
      "--copy": { help: "Copy files that could be shared with the data directory by hard links" },
      ...FORMAT,
    },
  },
  "cleanup-empty-repos": {
    summary: "find announcements without data, and directories nobody announced",
    flags: {
      "--execute": { help: "Remove what is listed as `remove`; without it nothing is changed" },
      "--purge-orphans": { help: "Remove directories nobody announced even when they hold something" },
      "--yes": { help: "Do not ask; needed with --execute when there is no terminal" },
      ...FORMAT,
    },
  },
  export: {
    summary: "write all served events as JSON lines",
    flags: {
      "--to": { value: "FILE", help: "File to write; must not exist. Without it events go to stdout" },
      "--filter": { value: "JSON", help: "Only events matching this Nostr filter, or any of a list of them" },
      "--retired": {
        value: "NPUB[/IDENTIFIER]",
        help: "Instead of served events, those held back of a retired repository or a blacklisted author",
      },
      "--since": { value: "TIME", help: "Only events from this time on: Unix seconds, or an ISO 8601 date" },
      "--resume": {
        help: "Go on behind the last whole line of an export to the same file that was interrupted",
      },
    },
  },
  import: {
    summary: "take over the events of another server, while this one is stopped",
    flags: {
      "--from": {
        value: "SOURCE",
        help: "File of JSON lines, - for stdin, or the ws:// or wss:// URL of a relay",
      },
      "--max-events": {
        value: "N",
        help: "Stop when a relay sends more than this many events; 10000000 is the default",
      },
      "--dry-run": { help: "Only say what would happen; works while the server serves" },
      ...FORMAT,
    },
  },
  maintain: {
    summary: "list the jobs, run one now, `report` on the disk, `compare` with a server",
    words: ["[JOB]"],
    flags: {
      "--with": { value: "URL", help: "For compare: the other server, ws(s):// or http(s)://" },
      ...FORMAT,
    },
  },
  "restore-check": {
    summary: "say whether a backup, or the live data, is whole",
    words: ["[DIR]"],
    flags: {
      "--full": { help: "Follow the whole history of every repository and read its packs too" },
      ...FORMAT,
    },
  },
  why: {
    summary: "tell what this server makes of an event or a repository, and why",
    words: ["<EVENT|REPOSITORY>"],
    flags: {
      ...FORMAT,
    },
  },
} as const satisfies SubcommandTable;

/** Name of a sub-command. */
export type SubcommandName = keyof typeof SUBCOMMANDS;

/** How many words a row takes. */
export function wordBounds({ words = [] }: SubcommandRow): { readonly min: number; readonly max: number } {
  return { min: words.filter((word) => word.startsWith("<")).length, max: words.length };
}
