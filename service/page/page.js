"use strict";
// Sends a picture to /search and shows what comes back. Answers are pictures to ask with again.
const $ = (id) => document.getElementById(id);
const main = document.querySelector("main");
const LARGEST = 3_500_000; // bytes; a larger photo is made smaller before it is sent
let asking = 0;

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

async function smaller(file) {
  if (file.size <= LARGEST) return file;
  const whole = await createImageBitmap(file);
  const scale = Math.min(1, 1600 / Math.max(whole.width, whole.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, whole.width * scale);
  canvas.height = Math.max(1, whole.height * scale);
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white"; // a JPEG has no transparency, and would be black there
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(whole, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}

let last = null;
async function ask(file, name) {
  last = [file, name];
  const turn = ++asking;
  const shown = $("query");
  if (shown.src) URL.revokeObjectURL(shown.src);
  shown.src = URL.createObjectURL(file);
  shown.alt = `Your question: ${name}`;
  shown.hidden = false;
  $("invite").hidden = true;
  main.setAttribute("aria-busy", "true");
  say("Looking …");
  try {
    const form = new FormData();
    form.append("image", await smaller(file));
    form.append("k", $("k").value);
    const answer = await fetch("search", { method: "POST", body: form });
    const told = await answer.json().catch(() => ({}));
    if (turn !== asking) return; // a later question is on its way
    if (!answer.ok) throw new Error(told.detail || `The service answered ${answer.status}.`);
    show(Object.entries(told.results));
    const many = Object.keys(told.results).length;
    say(many ? `${many} pictures, the nearest first. Choose one to search from it.` : "The gallery is empty.");
  } catch (error) {
    if (turn !== asking) return;
    $("results").replaceChildren();
    say(error instanceof TypeError ? "The service cannot be reached; try again." : error.message, true);
  } finally {
    if (turn === asking) main.removeAttribute("aria-busy");
  }
}

// "…/images/red-apple-noto-8c1fd2a09be47d63" → "red apple noto"
const nameOf = (url) => url.split("/").pop().replace(/-?[0-9a-f]{16}$/, "").replaceAll("-", " ") || "picture";

function show(results) {
  $("results").replaceChildren(...results.map(([url, distance]) => {
    const name = nameOf(url);
    const item = document.createElement("li");
    const button = document.createElement("button");
    const picture = document.createElement("img");
    const score = document.createElement("span");
    const title = document.createElement("span");
    picture.src = url;
    picture.alt = "";
    score.className = "score";
    score.textContent = distance.toFixed(3);
    title.className = "name";
    title.textContent = name;
    button.setAttribute("aria-label", `Search from ${name}, at distance ${distance.toFixed(3)}`);
    button.append(picture, title, score);
    button.addEventListener("click", async () => {
      try {
        // from here, whose policy allows it, wherever the address shown leads
        const found = await fetch(`images/${url.split("/").pop()}`);
        if (!found.ok) throw new Error();
        await ask(await found.blob(), name);
      } catch {
        say("This picture is not there any more.", true);
      }
    });
    item.append(button);
    return item;
  }));
}

function take(files) {
  const file = [...files].find((one) => one.type.startsWith("image/"));
  if (file) ask(file, file.name || "a pasted picture");
  else if (files.length) say("That is not a picture.", true);
}

for (const id of ["file", "photo"])
  $(id).addEventListener("change", (event) => { take(event.target.files); event.target.value = ""; });
$("k").addEventListener("change", () => { if (last) ask(...last); });
$("ask").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("paste", (event) => take(event.clipboardData.files));
document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
for (const end of ["dragleave", "drop"])
  document.addEventListener(end, () => $("drop").classList.remove("over"));
document.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });
