// A place for a picture from outside: click, drop, or paste.
function render({ model, el }) {
  el.classList.add("la-drop");
  el.dataset.lmSuppressShortcuts = "true";
  const label = document.createElement("label");
  label.tabIndex = 0; // so that it can be pasted into
  label.innerHTML = "<b>Your picture</b><span>drop or paste it here, or click to choose</span>";
  const input = document.createElement("input");
  input.type = "file";
  input.accept = "image/*";
  input.setAttribute("aria-label", "Your picture: choose a file");
  label.append(input);
  el.append(label);

  async function send(file) {
    if (!file) return;
    if (file.size > model.get("most_bytes")) {
      return model.send({ event: "too big", name: file.name, size: file.size });
    }
    const bytes = await file.arrayBuffer();
    model.send({ event: "file", name: file.name }, undefined, [new DataView(bytes)]);
  }
  input.onchange = () => {
    send(input.files[0]);
    input.value = ""; // the same file may be chosen again
  };
  label.onkeydown = (event) => {
    if (event.target === label && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      input.click();
    }
  };
  el.ondragover = (event) => {
    event.preventDefault();
    el.classList.add("la-over");
  };
  el.ondragleave = () => el.classList.remove("la-over");
  el.ondrop = (event) => {
    event.preventDefault();
    event.stopPropagation(); // else JupyterLab uploads it into its folder as well
    el.classList.remove("la-over");
    send(event.dataTransfer.files[0]);
  };
  el.onpaste = (event) => {
    const file = event.clipboardData.files[0];
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    send(file);
  };
}

export default { render };
