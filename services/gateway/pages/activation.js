// Sends the link's secret, which stands behind the # and was never part of a request, once the form is filled in.
"use strict";

const form = document.getElementById("form");
const button = form.querySelector("button");
const said = document.getElementById("said");
let link = "";

// A page that is loaded again has lost its link; one that is open already may be given another.
function takeLink() {
  link = location.hash.slice(1);
  history.replaceState(null, "", location.pathname); // not kept in the browser's history
  button.disabled = !link;
  said.textContent = link ? "" : "Xin mở lại liên kết trong e-mail. (Please open the link in the e-mail again.)";
}

addEventListener("hashchange", takeLink);
takeLink();

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { code, new_password } = Object.fromEntries(new FormData(form));
  said.textContent = "…";
  try {
    const answer = await fetch("/v1/activations", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ link, code, new_password }),
    });
    if (answer.ok) {
      form.hidden = true;
      said.textContent = "Đã đặt mật khẩu. Mời đăng nhập ứng dụng VssID. (The password is set. Please log in.)";
      return;
    }
    const problem = await answer.json();
    const details = (problem.errors || []).map((error) => error.detail);
    said.textContent = [problem.detail, ...details].join(" ");
  } catch {
    said.textContent = "Chưa gửi được, xin thử lại. (Not sent, please try again.)";
  }
});
