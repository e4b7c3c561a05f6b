// Pictures as buttons: click or Enter opens one; each has a few tools below it.
function part(tag, name, parent) {
  const element = document.createElement(tag);
  element.className = name;
  parent.append(element);
  return element;
}

function tile(model, grid) {
  const figure = part("figure", "la-tile", grid);
  const open = part("button", "la-open", figure);
  const image = part("img", "", open);
  const caption = part("figcaption", "", figure);
  const name = part("span", "la-name", caption);
  const note = part("span", "la-note", caption);
  const tools = part("div", "la-tools", figure);
  const say = (event) => model.send({ event, id: figure.dataset.id });
  open.onclick = () => say("open");
  const buttons = model.get("tools").map(([event, glyph, label]) => {
    const button = part("button", "la-tool", tools);
    button.textContent = glyph;
    button.dataset.event = event;
    button.title = label;
    button.tabIndex = -1; // reached from their own picture, so that Tab goes picture by picture
    button.onclick = () => say(event);
    return [button, label];
  });
  figure.addEventListener("focusin", () => buttons.forEach(([b]) => (b.tabIndex = 0)));
  figure.addEventListener("focusout", (event) => {
    if (!figure.contains(event.relatedTarget)) buttons.forEach(([b]) => (b.tabIndex = -1));
  });
  return (told) => {
    figure.hidden = !told;
    if (!told) return open.removeAttribute("title");
    figure.dataset.id = told.id;
    figure.dataset.frame = told.frame;
    image.src = told.src;
    image.alt = "";
    open.setAttribute("aria-label", [told.said, told.note].filter(Boolean).join(", "));
    open.title = told.id;
    name.textContent = told.name;
    note.textContent = told.note;
    buttons.forEach(([button, label]) => {
      const pressed = told.pressed === button.dataset.event;
      button.setAttribute("aria-pressed", pressed);
      button.setAttribute("aria-label", `${label}: ${told.name}`);
    });
  };
}

function move(grid, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -1e9, End: 1e9 }[event.key];
  const here = event.target.closest?.(".la-tile");
  if (!step || !here) return;
  const shown = [...grid.querySelectorAll(".la-tile:not([hidden])")];
  const to = Math.max(0, Math.min(shown.length - 1, shown.indexOf(here) + step));
  shown[to].querySelector(".la-open").focus();
  event.preventDefault();
}

function render({ model, el }) {
  el.classList.add("la-tiles");
  el.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes Enter and the arrows for itself
  const message = part("p", "la-message", el);
  message.setAttribute("role", "status");
  const grid = part("div", "la-grid", el);
  grid.style.setProperty("--side", `${model.get("side")}px`);
  grid.addEventListener("keydown", (event) => move(grid, event));
  const places = [];
  const follow = () => {
    const tiles = model.get("tiles");
    while (places.length < Math.max(tiles.length, model.get("room"))) {
      places.push(tile(model, grid));
    }
    places.forEach((show, i) => show(tiles[i])); // the same elements, so that the focus stays
    message.textContent = model.get("message");
    message.dataset.kind = model.get("kind");
  };
  follow();
  for (const name of ["tiles", "message", "kind"]) model.on(`change:${name}`, follow);
  return () => model.off(null, follow);
}

export default { render };
