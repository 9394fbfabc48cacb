/** An absolute path standing alone or in quotes; not the inside of a URL, a ref or a fraction. */
const ABSOLUTE_PATH = /(?<=^|[\s'"`(=\[]|[^\s\/:]:)\/(?!\/)[^\s'"`)\]]+/gm;

/**
 * `text` without absolute paths of this host, for anything a client may see. `known` names the paths
 * in use, because those may contain characters (spaces, quotes) that no pattern can delimit.
 */
export function withoutHostPaths(text: string, known: readonly string[]): string {
  let cleaned = text;
  for (const path of known) {
    if (path.length > 1) cleaned = cleaned.replaceAll(path, "<path>");
  }
  return cleaned.replace(ABSOLUTE_PATH, "<path>");
}
