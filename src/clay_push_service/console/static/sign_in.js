// Signs in with the token that NexusLeads keeps in localStorage on this origin, or with NexusLeads' login form.
(() => {
  const form = document.getElementById('credential');
  const host = document.getElementById('host');
  const reason = document.getElementById('reason');
  const TRIED = 'clay_console_tried';

  const send = (token, orgId) => {
    form.elements.credential.value = token;
    form.elements.org_id.value = orgId || '';
    document.getElementById('working').hidden = false;
    form.submit();
  };
  const show = (text) => {
    const notice = document.createElement('p');
    notice.className = 'notice notice-bad';
    notice.setAttribute('role', 'alert');
    notice.textContent = text;
    reason.replaceChildren(notice);
  };
  const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const signedOut = location.pathname === '/console/sign-in';

  // The demo's link carries a token. Elsewhere a link must not decide who is signed in.
  const isLocal = ['127.0.0.1', 'localhost', '[::1]'].includes(location.hostname);
  const linked = new URLSearchParams(location.hash.slice(1));
  if (isLocal && linked.get('token')) {
    history.replaceState(null, '', location.pathname + location.search);
    send(linked.get('token'), linked.get('org'));
    return;
  }
  host.hidden = false;
  const token = stored('token');
  // One automatic attempt for each token: a refused one must not be sent in a loop.
  if (token && !signedOut && sessionStorage.getItem(TRIED) !== token) {
    sessionStorage.setItem(TRIED, token);
    send(token, stored('activeOrgId'));
    return;
  }
  host.addEventListener('submit', async (event) => {
    event.preventDefault();
    const body = new FormData(host);
    let answer;
    try {
      answer = await fetch('/api/auth/login', { method: 'POST', body });
    } catch {
      show('NexusLeads cannot be reached. Check your connection, and sign in again.');
      return;
    }
    if (answer.status === 404) show('This address has no NexusLeads login. Use a service key.');
    else if (!answer.ok) show('NexusLeads did not accept the user name or the password. Check them, and sign in again.');
    else send((await answer.json()).access_token, stored('activeOrgId'));
  });
})();
