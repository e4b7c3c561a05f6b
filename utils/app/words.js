// Words to search by: Enter or the button asks.
function render({ model, el }) {
  el.classList.add("la-words");
  el.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes Enter for itself
  el.setAttribute("role", "search");
  // no form: JupyterLab lets none be sent
  const box = document.createElement("input");
  box.type = "search";
  box.autocomplete = "off";
  box.placeholder = model.get("hint");
  box.setAttribute("aria-label", model.get("hint"));
  const button = document.createElement("button");
  button.className = "jupyter-widgets jupyter-button widget-button"; // as the others look
  button.textContent = "search";
  el.append(box, button);
  const ask = () => model.send({ event: "words", text: box.value });
  button.onclick = ask;
  box.onkeydown = (event) => {
    // an Enter that ends the choice of a letter is not yet a question
    if (event.key === "Enter" && !event.isComposing) ask();
  };
  const follow = () => (box.value = model.get("text"));
  follow();
  model.on("change:text", follow);
  return () => model.off("change:text", follow);
}

export default { render };
