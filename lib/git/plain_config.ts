/** Keys of a repository's own configuration that cannot change what git says of its refs; others may. */
const HARMLESS = new Set([
  "core.repositoryformatversion",
  "core.filemode",
  "core.bare",
  "core.ignorecase",
  "core.precomposeunicode",
  "core.symlinks",
  "core.logallrefupdates",
  "core.sharedrepository",
  // Overruled by the settings of every child.
  "uploadpack.allowtipsha1inwant",
  "uploadpack.allowreachablesha1inwant",
  "uploadpack.allowanysha1inwant",
  "uploadpack.allowfilter",
  "receive.denydeletecurrent",
  "receive.denynonfastforwards",
  "receive.denydeletes",
  "receive.autogc",
  "receive.advertisepushoptions",
  // Of other servers; git does not know it.
  "uploadpack.allowunreachable",
  "remote.url",
  "remote.fetch",
  "remote.mirror",
]);
/** Values git takes everywhere: without quotes, escapes and comments, or in quotes as a whole. */
const CLEAR = /^(?:[^"\\#;]*|"[^"\\]*")$/;
/** Keys above that take anything; others are true or false, and git reads nothing when they are neither. */
const TEXTS = new Set(["core.sharedrepository", "core.logallrefupdates", "remote.url", "remote.fetch"]);
const HARMLESS_SECTIONS = new Set(["gc", "http", "pack", "repack", "user"]);

/**
 * True when nothing in `text`, a repository's configuration, makes git refuse it or can change its advertisements or the
 * place of its refs. What this does not understand is not plain.
 */
export function isPlainConfig(text: string): boolean {
  let section = "";
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const header = /^\[([A-Za-z0-9-]+)(?: "[^"\\]*")?\]$/.exec(line);
    if (header) {
      section = header[1]!.toLowerCase();
      continue;
    }
    const [, key, value = ""] = /^([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?$/.exec(line) ?? [];
    if (key === undefined || !CLEAR.test(value)) return false;
    if (!HARMLESS_SECTIONS.has(section) && !isHarmless(`${section}.${key.toLowerCase()}`, value)) {
      return false;
    }
  }
  return true;
}

function isHarmless(name: string, value: string): boolean {
  if (!HARMLESS.has(name)) return false;
  if (name === "core.repositoryformatversion") return /^[01]$/.test(value);
  return TEXTS.has(name) || /^(?:|true|false|yes|no|on|off|[01])$/i.test(value);
}
