/** nginx with fcgiwrap and `git http-backend`: how most people serve git over HTTP. */
export interface Peer {
  /** URL below which repositories of the root are found. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Why the peer cannot run here. */
export class PeerMissing extends Error {}

const BACKEND = "/usr/lib/git-core/git-http-backend";
/** As many git processes at once as our own default allows. */
const CHILDREN = 16;

/**
 * Starts the peer over all repositories below `root`, with its own files in `directory`, on a free
 * port of 127.0.0.1. Throws {@link PeerMissing} when a program is not installed.
 */
export async function startPeer(root: string, directory: string): Promise<Peer> {
  for (const program of ["nginx", "fcgiwrap", BACKEND]) await requireProgram(program);
  const port = freePort();
  const socket = `${directory}/fcgi.sock`;
  await Deno.writeTextFile(`${directory}/nginx.conf`, configuration({ root, directory, socket, port }));
  const wrap = spawn("fcgiwrap", ["-c", String(CHILDREN), "-s", `unix:${socket}`]);
  const children = [wrap];
  const stop = async () => {
    for (const child of children.reverse()) await end(child);
  };
  try {
    await until("fcgiwrap", async () => (await Deno.stat(socket)).isSocket === true);
    const nginx = spawn("nginx", ["-e", `${directory}/error.log`, "-c", `${directory}/nginx.conf`]);
    children.push(nginx);
    const url = `http://127.0.0.1:${port}`;
    await until("nginx", async () => {
      await (await fetch(url)).body?.cancel();
      return true;
    });
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration(
  { root, directory, socket, port }: { root: string; directory: string; socket: string; port: number },
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${directory}/${name};`).join("\n  ");
  return `${Deno.uid() === 0 ? "user root;" : ""}
daemon off;
worker_processes 2;
pid ${directory}/nginx.pid;
events { worker_connections 512; }
http {
  access_log off;
  keepalive_timeout 300s;
  keepalive_requests 100000000;
  ${temporary}
  client_max_body_size 0;
  server {
    listen 127.0.0.1:${port};
    location / {
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME ${BACKEND};
      fastcgi_param GIT_PROJECT_ROOT ${root};
      fastcgi_param GIT_HTTP_EXPORT_ALL 1;
      fastcgi_param GIT_PROTOCOL $http_git_protocol;
      fastcgi_param PATH_INFO $uri;
      fastcgi_read_timeout 300;
      fastcgi_pass unix:${socket};
    }
  }
}
`;
}

function spawn(command: string, args: string[]): Deno.ChildProcess {
  return new Deno.Command(command, {
    args,
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", HOME: "/nonexistent" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
}

/** Ends the process group: fcgiwrap leaves its children behind. */
async function end(child: Deno.ChildProcess): Promise<void> {
  try {
    Deno.kill(-child.pid, "SIGTERM");
  } catch {
    // it has ended by itself
  }
  await child.status;
}

async function requireProgram(program: string): Promise<void> {
  const { code } = await new Deno.Command("sh", { args: ["-c", 'command -v "$0"', program], stdout: "null" })
    .output();
  if (code !== 0) throw new PeerMissing(`${program} is not installed (Debian: nginx-light, fcgiwrap, git)`);
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

async function until(what: string, isUp: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!await isUp().catch(() => false)) {
    if (performance.now() > deadline) throw new Error(`${what} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
