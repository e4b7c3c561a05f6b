// Words to search by: Enter or the button asks.
function render({ model, el }) {
  el.classList.add("la-words");
  el.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes Enter for itself
  const form = document.createElement("form");
  form.setAttribute("role", "search");
  const box = document.createElement("input");
  box.type = "search";
  box.autocomplete = "off";
  box.placeholder = model.get("hint");
  box.setAttribute("aria-label", model.get("hint"));
  const button = document.createElement("button");
  button.className = "jupyter-widgets jupyter-button widget-button"; // as the others look
  button.textContent = "search";
  form.append(box, button);
  el.append(form);
  form.onsubmit = (event) => {
    event.preventDefault();
    model.send({ event: "words", text: box.value });
  };
  const follow = () => (box.value = model.get("text"));
  follow();
  model.on("change:text", follow);
  return () => model.off("change:text", follow);
}

export default { render };
