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
const HARMLESS_SECTIONS = new Set(["gc", "http", "pack", "repack", "user"]);

/**
 * True when nothing in `text`, a repository's configuration, can change its advertisements or the
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
    const key = /^([A-Za-z][A-Za-z0-9-]*)\s*(?:=.*)?$/.exec(line)?.[1];
    if (key === undefined || line.endsWith("\\")) return false;
    if (!HARMLESS_SECTIONS.has(section) && !HARMLESS.has(`${section}.${key.toLowerCase()}`)) return false;
  }
  return true;
}
