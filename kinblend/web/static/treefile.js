// A family tree's file, as `kinblend tree` reads it, and the photographs that it names.

import { call } from "./api.js";

const LARGEST = 2 ** 20;
const base = (path) => path.split(/[\\/]/).pop().toLowerCase();

// files: the tree's and its photographs. Returns who is in it, the rest of it, and what gives them their photographs.
export async function openTree(files) {
  const trees = files.filter(({ name }) => /\.(toml|json)$/i.test(name));
  if (trees.length !== 1) throw new Error("Choose one tree, a .json or .toml file, together with its photographs.");
  if (trees[0].size > LARGEST) throw new Error("The file is larger than 1 MB, which no family tree is.");
  const body = await trees[0].text();
  const read = await (await call("/api/v1/trees/file", { method: "POST", headers: { "Content-Type": "text/plain" }, body })).json();
  const pictures = new Map(files.filter((file) => file !== trees[0]).map((file) => [file.name.toLowerCase(), file]));
  const described = read.person.map(({ name, age, sex, father, mother, photo, face, ...rest }) => ({ name, age, sex: SEXES[sex] ?? "", father, mother, rest }));
  const { title, person, warnings, ...common } = read; // what goes for all
  return { described, rest: { title, common }, give: (people, tell) => give(read.person, pictures, people, tell) };
}

const SEXES = { girl: "girl", boy: "boy", female: "girl", male: "boy" };

async function give(described, pictures, people, tell) {
  const wanted = described.map(({ photo, face }, place) => ({ photo, face, place })).filter(({ photo }) => photo);
  const lacking = wanted.filter(({ photo }) => !pictures.has(base(photo)));
  for (const [number, { photo, face, place }] of wanted.entries()) {
    const file = pictures.get(base(photo));
    if (!file) continue;
    tell(`Photograph ${number + 1} of ${wanted.length}…`);
    await people[place].tile.take(file);
    if (face && people[place].tile.photo?.faces.length) await people[place].tile.choose(face);
  }
  if (lacking.length) throw new Error(`The family is there. Not chosen with it, or no photograph: ${lacking.map(({ photo }) => base(photo)).join(", ")}.`);
}
