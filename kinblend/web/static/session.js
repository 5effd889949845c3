// What this tab holds outlives a reload, and Back and Forward: ids and recipes, never a picture. The server has the
// rest, for as long as it keeps it.

const KEY = `kinblend${window.location.pathname}`; // each page has its own
const DONE = "kinblend-forgotten";
let stepped = false;

// The next state gets an entry of its own, so that Back undoes what is about to happen.
export function step() { stepped = true; }

export function keep(state) {
  if (stepped) history.pushState(state, "");
  else history.replaceState(state, "");
  stepped = false;
  sessionStorage.setItem(KEY, JSON.stringify(state));
}

export function kept() {
  return history.state ?? JSON.parse(sessionStorage.getItem(KEY) ?? "null");
}

export function forget() {
  sessionStorage.clear();
  sessionStorage.setItem(DONE, "yes");
  history.replaceState(null, "");
  window.location.reload();
}

// Whether everything was forgotten right before this page was loaded.
export function wasForgotten() {
  const done = sessionStorage.getItem(DONE) !== null;
  sessionStorage.removeItem(DONE);
  return done;
}
