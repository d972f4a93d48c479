// Ways to provide a photo: choose, paste, drop.

const ask = document.getElementById("ask");
const input = document.getElementById("photo");

/** Calls `use` with the File of each photo, unchecked. */
export function listenForPhotos(use) {
  const useFirst = ([photo]) => photo && use(photo);
  listenToChoices(useFirst);
  document.addEventListener("paste", ({ clipboardData }) => useFirst(clipboardData.files));
  listenToDrops(useFirst);
}

function listenToChoices(useFirst) {
  ask.addEventListener("click", ({ target }) => target === input || input.click());
  input.addEventListener("change", () => {
    useFirst(input.files);
    input.value = ""; // so that choosing the same file again fires a change event
  });
}

function listenToDrops(useFirst) {
  const shade = (dragging) => document.body.classList.toggle("dragging", dragging);
  const carriesFile = ({ dataTransfer }) => dataTransfer.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    shade(true);
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || shade(false));
  document.addEventListener("drop", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    shade(false);
    useFirst(event.dataTransfer.files);
  });
}
