// Looks at the slide that is shown and lists what is wrong with it, in sentences.
() => {
  const slide = Reveal.getCurrentSlide(), wrong = [];
  const seen = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const short = (text) => JSON.stringify(text.trim().slice(0, 40));

  // Colours: what is written, on what lies behind it, each with its alpha worked in
  const parse = (colour) => {
    const numbers = colour.match(/^rgba?\((.*)\)$/)[1].split(/[ ,/]+/).map(Number);
    return numbers.length > 3 ? numbers : [...numbers, 1];
  };
  const over = (top, below) => top.slice(0, 3).map((v, i) => v * top[3] + below[i] * (1 - top[3]));
  const behind = (e) => {
    if (!e) return [255, 255, 255];
    return over(parse(getComputedStyle(e).backgroundColor), behind(e.parentElement));
  };
  const opacity = (e) => (e ? getComputedStyle(e).opacity * opacity(e.parentElement) : 1);
  const light = (rgb) =>
    rgb
      .map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (e) => {
    const paper = behind(e), ink = parse(getComputedStyle(e).color);
    const a = light(over([...ink.slice(0, 3), ink[3] * opacity(e)], paper)), b = light(paper);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };

  const outside = (box) =>
    box.left < -0.5 || box.top < -0.5 || box.right > innerWidth + 0.5 || box.bottom > innerHeight + 0.5;
  const cut = (box, e) => {
    for (; e && e !== slide.parentElement; e = e.parentElement) {
      const frame = e.getBoundingClientRect(), style = getComputedStyle(e);
      if (style.overflow === "visible" && e.matches("span, code, b, strong, em, a")) continue;
      if (box.right > frame.right + 1 || box.left < frame.left - 1) return true;
      if (style.overflow !== "visible" && (box.bottom > frame.bottom + 1 || box.top < frame.top - 1))
        return true;
    }
    return false;
  };

  const texts = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode()); ) {
    const e = node.parentElement;
    if (!node.data.trim() || !seen(e) || e.closest(".katex-mathml")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      if (outside(box) || cut(box, e)) wrong.push(`${short(node.data)} is cut off`);
    const ratio = contrast(e), size = parseFloat(getComputedStyle(e).fontSize);
    if (!(ratio >= 4.5)) wrong.push(`${short(node.data)} has a contrast of ${ratio.toFixed(2)}`);
    if (size < 20 && !e.closest(".katex")) wrong.push(`${short(node.data)} is tiny, ${size}px`);
  }
  for (const image of slide.querySelectorAll("img, svg, video, canvas, iframe")) {
    if (outside(image.getBoundingClientRect())) wrong.push(`${image.src} is cut off`);
    if (image.tagName === "IMG" && !image.alt.trim()) wrong.push(`${image.src} has no alt text`);
    if (image.tagName === "IMG" && !image.naturalWidth) wrong.push(`${image.src} is missing`);
  }

  // Nothing lies on anything else
  const number = document.querySelector(".slide-number");
  const blocks = [...slide.children, number].filter((e) => e && seen(e));
  for (const [i, one] of blocks.entries())
    for (const other of blocks.slice(i + 1)) {
      const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 1) wrong.push(`${short(one.innerText)} lies on ${short(other.innerText)}`);
    }
  const notes = slide.querySelector("aside.notes");
  return { title: slide.innerText.split("\n")[0], wrong, notes: notes ? notes.textContent : "" };
}
