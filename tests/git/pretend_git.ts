/** A program that claims to be git and otherwise runs `script`. */
export async function pretendGit(directory: string, script: string, version = "2.39.5"): Promise<string> {
  const path = `${directory}/git-${crypto.randomUUID()}`;
  const text =
    `#!/bin/sh\nif [ "$1" = version ]; then echo "git version ${version}"; exit 0; fi\n${script}\n`;
  await Deno.writeTextFile(path, text, { mode: 0o755 });
  return path;
}
