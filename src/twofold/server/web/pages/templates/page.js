for (const place of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  const label = place.dataset.copy || "Copy";
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", label);
  button.addEventListener("click", async () => {
    const source = place.querySelector("code");
    try {
      await navigator.clipboard.writeText(source.dataset.whole || source.textContent.trim());
      button.textContent = "Copied";
      button.setAttribute("aria-label", label + ": copied");
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    setTimeout(() => {
      button.textContent = "Copy";
      button.setAttribute("aria-label", label);
    }, 2000);
  });
  place.append(button);
}
let chosen = {};
try {
  chosen = JSON.parse(localStorage.getItem("tabs") || "{}");
} catch {}
for (const tab of document.querySelectorAll(".tabs > input")) {
  if (chosen[tab.name] === tab.value) tab.checked = true;
  tab.addEventListener("change", () => {
    chosen[tab.name] = tab.value;
    try {
      localStorage.setItem("tabs", JSON.stringify(chosen));
    } catch {}
  });
}
