// What a slider says beside its name, and to a screen reader.

export function mark(control, words) {
  const slider = control.closest(".slider");
  if (control.type !== "range" || !slider) return;
  const text = words ?? wordsFor(control, slider);
  slider.querySelector("output").textContent = text;
  control.setAttribute("aria-valuetext", text);
}

export function put(control, value) {
  control.value = value;
  mark(control);
}

function wordsFor(control, slider) {
  const value = Number(control.value);
  const { low, high } = control.dataset;
  if (untouched(control.closest(".field"))) return "automatic";
  if ("age" in slider.dataset) return years(value);
  if ("siblings" in slider.dataset) return value === 1 ? "as real ones" : `${Math.round(100 * value)} % of real ones`;
  if ("mutation" in slider.dataset) return value === 0 ? "nothing" : `${Math.round(100 * value)} %`;
  if (low === "mother" && high === "father") return shares(value);
  if ("edit" in slider.dataset) return value === 0 ? "unchanged" : `${value > 0 ? high : low} ${Math.abs(value).toFixed(1)}`;
  if (/\D/.test(high)) return `${Math.round(100 * value / (control.max < 2 ? 1 : control.max))} %`;  // of 1, if it is a share
  return String(value);
}

// A number that has no default is the strategy's own until it is moved.
export function untouched(field) {
  return field?.dataset.default === "null" && !field.classList.contains("moved");
}

export const years = (value) => `${value} year${value === 1 ? "" : "s"}`;

function shares(father) {
  if (father === 0.5) return "both alike";
  return father > 0.5 ? `${Math.round(100 * father)} % father` : `${Math.round(100 - 100 * father)} % mother`;
}
