/** Talks to the server: one function a route, and one kind of error. */

/** An answer that is no answer: what the server said, or that it said nothing. */
class Failure extends Error {
  /**
   * @param words one line for people.
   * @param status of HTTP; 0 where nobody answered.
   * @param wait seconds after which to try again, where the server said so.
   */
  constructor(words, status, wait = 0) {
    super(words.replace(/^[a-z]+ /, (word) => word[0].toUpperCase() + word.slice(1)));
    this.status = status;
    this.wait = wait;
  }

  /** Whether nobody answered, or somebody in front of the server did. */
  get gone() {
    return [0, 502, 504].includes(this.status);
  }

  /** Whether the server was busy. */
  get busy() {
    return this.status === 429 || this.status === 503;
  }
}

async function ask(method, path, { body, signal, form } = {}) {
  const options = { method, signal, body: form, cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The server does not answer.", 0);
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  const words = answer?.error ?? `The server answered ${response.status} ${response.statusText}`.trim();
  throw new Failure(words, response.status, Number(response.headers.get("Retry-After")) || 0);
}

/** As `ask`, but waits and tries again while the server is busy; `waiting` is told for how many seconds. */
async function patiently(method, path, options, waiting = () => {}) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask(method, path, options);
    } catch (error) {
      if (!error.busy || tries === 4) throw error;
      const seconds = Math.min(30, error.wait || 2 ** tries);
      waiting(seconds);
      await pause(seconds * 1000, options?.signal);
    }
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined)).toString();

export const health = () => ask("GET", "api/health");
export const search = (body, signal, waiting) => patiently("POST", "api/search", { body, signal }, waiting);
export const parse = (text, signal) => ask("POST", "api/parse", { body: { text }, signal });
export const columns = () => patiently("GET", "api/columns");
export const videos = (limit, offset) => patiently("GET", `api/videos?${query({ limit, offset })}`);
export const play = (id, start, end, signal) =>
  patiently("GET", `api/play/${id}?${query({ start, end })}`, { signal });
export const indexing = () => ask("GET", "api/index");
export const index = (folder) => ask("POST", "api/index", { body: { folder } });
export const stopIndexing = () => ask("DELETE", "api/index");

/** Send a picture or a clip to search by. */
export function example(file) {
  const form = new FormData();
  form.append("file", file);
  return patiently("POST", "api/examples", { form });
}

/** The address of a picture of a video at a time, in seconds. */
export const thumbnail = (id, seconds, height = 180) =>
  `api/thumbnail/${id}?${query({ t: seconds.toFixed(1), height })}`;
