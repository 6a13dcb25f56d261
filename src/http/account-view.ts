import { html } from 'hono/html'
import type { Language } from '../domain/members/index.ts'
import { ACCOUNT_TEXTS } from './account-texts.ts'

type Content = ReturnType<typeof html> | string

/** A page about somebody's account. It loads nothing from anywhere and leads nowhere else, so that its address stays here. */
export function accountPage(
  language: Language,
  page: { heading: string; problem?: string | undefined; content: Content; form?: boolean },
) {
  const texts = ACCOUNT_TEXTS[language]
  const body = html`<h1>${page.heading}</h1>
    ${page.problem ? html`<p role="alert">${page.problem}</p>` : ''} ${page.content}`
  return html`<!doctype html>
    <html lang="${language}" dir="${language === 'he' ? 'rtl' : 'ltr'}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${texts.title}: ${page.heading}</title>
        <style>
          :root { color-scheme: light dark; font-family: system-ui, sans-serif; }
          body { display: grid; place-items: center; align-content: center; gap: 1rem; min-height: 100vh; margin: 0;
            background: light-dark(#f4f5f7, #15171a); color: light-dark(#1d1f23, #e8eaed); }
          .card { display: grid; gap: 1rem; box-sizing: border-box; width: min(26rem, 92vw); padding: 2rem; border-radius: 12px;
            background: light-dark(#fff, #1f2226); box-shadow: 0 8px 30px rgb(0 0 0 / 12%); overflow-wrap: anywhere; }
          h1 { margin: 0; font-size: 1.25rem; }
          p { margin: 0; line-height: 1.5; }
          label { display: grid; gap: 0.35rem; font-size: 0.9rem; }
          small { color: light-dark(#5f6368, #9aa0a6); }
          input { padding: 0.6rem 0.7rem; font: inherit; border: 1px solid light-dark(#c9ccd1, #44484d); border-radius: 8px;
            background: transparent; color: inherit; }
          button { padding: 0.65rem; font: inherit; font-weight: 600; border: 0; border-radius: 8px; background: #1a6b4a; color: #fff; }
          a { color: light-dark(#1a6b4a, #7fd1ae); }
          p[role='alert'] { color: light-dark(#b42318, #ff8a80); font-size: 0.9rem; }
        </style>
      </head>
      <body>
        ${
          page.form === false
            ? html`<main class="card">${body}</main>`
            : html`<form class="card" method="post" action="?lang=${language}">${body}</form>`
        }
        <a href="?lang=${language === 'he' ? 'en' : 'he'}" lang="${language === 'he' ? 'en' : 'he'}">${texts.other}</a>
      </body>
    </html>`
}

/** An address shown as it is written, in a page of either direction. */
export function emailField(language: Language, email: string) {
  return html`<label
    >${ACCOUNT_TEXTS[language].email}
    <input type="email" value="${email}" dir="ltr" autocomplete="username" readonly
  /></label>`
}

export function passwordField(label: string, hint: string, autocomplete: 'new-password' | 'current-password') {
  return html`<label
    >${label}
    <input name="password" type="password" dir="ltr" autocomplete="${autocomplete}" required autofocus maxlength="128" />
    <small>${hint}</small></label
  >`
}
