// Runs before the page is drawn, so that a chosen theme never flashes.
try {
  const theme = localStorage.getItem("hgrkit-theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows the system.
}
