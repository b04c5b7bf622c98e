// Applies NexusLeads' stored theme before the first paint. Without one, the system's preference decides.
(() => {
  try {
    const theme = localStorage.getItem('theme');
    if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
  } catch { /* storage may be blocked */ }
})();
