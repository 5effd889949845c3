// Talks to the server. Errors come as problem+json and leave here as Problem.

const PATIENCE = 6; // times a full queue is waited for

let leaving = Promise.resolve(); // the last order that was given up: the same one may be placed again right after

export class Problem extends Error {
  constructor(status, kind, detail) {
    super(detail);
    this.status = status;
    this.kind = kind;
  }
}

export async function call(path, options = {}, patience = PATIENCE) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "away", "The server can't be reached; is it still running?");
  }
  if (response.ok) return response;
  if ([429, 503].includes(response.status) && patience > 0) {
    await pause(1000 * Number(response.headers.get("Retry-After") ?? 2));
    return call(path, options, patience - 1);
  }
  const found = await response.json().catch(() => ({}));
  const kind = (found.type ?? "").split(":").pop();
  throw new Problem(response.status, kind, found.detail ?? `The server answered ${response.status}`);
}

export function send(path, body, options = {}) {
  const headers = { "Content-Type": "application/json" };
  return call(path, { method: "POST", headers, body: JSON.stringify(body), ...options });
}

// kind: children, partners or trees.
export async function place(order, signal, kind = "children") {
  await leaving;
  return (await send(`/api/v1/${kind}`, order, { signal })).json();
}

// An order, once it is done. `tell` hears of every change before.
export function finished(answer, tell, signal) {
  if (answer.status === "done") return Promise.resolve(answer);
  return new Promise((resolve, reject) => {
    const source = new EventSource(answer.events);
    const end = (act) => (event) => {
      source.close();
      signal.removeEventListener("abort", giveUp); // what is done is kept
      act(event);
    };
    const giveUp = end(() => {
      leaving = fetch(answer.events.replace(/\/events$/, ""), { method: "DELETE" }).catch(() => {});
      reject(new DOMException("no longer wanted", "AbortError"));
    });
    signal.addEventListener("abort", giveUp);
    source.addEventListener("progress", (event) => tell(JSON.parse(event.data)));
    source.addEventListener("done", end((event) => resolve(JSON.parse(event.data))));
    source.addEventListener("failed", end((event) => {
      const { status, type, detail } = JSON.parse(event.data).problem;
      reject(new Problem(status, type, detail));
    }));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) reject(new Problem(0, "away", "The server no longer answers; try again"));
    };
  });
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
