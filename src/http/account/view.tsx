/** @jsxImportSource hono/jsx */
import type { Child } from 'hono/jsx'
import { type Language, type OpenInvitation, roleName } from '../../domain/members/index.ts'
import type { HtmlPage } from '../html-page.tsx'
import { LOOK } from '../page-look.ts'
import { ACCOUNT_TEXTS } from './texts.ts'

export const MAX_NAME = 120

const STYLE = `${LOOK}
main { display: grid; place-items: center; align-content: center; gap: 1rem; min-height: 100svh; padding: 1rem; }
.card { display: grid; gap: 1rem; width: min(26rem, 100%); padding: 2rem; border: 1px solid var(--line); border-radius: 12px;
  background: var(--surface); overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.25rem; }
p { margin: 0; line-height: 1.5; }
label { display: grid; gap: 0.35rem; font-weight: 500; }
small { color: var(--muted); font-weight: 400; }
button { min-height: 2.75rem; font: inherit; font-weight: 600; border: 0; border-radius: 8px; background: var(--accent);
  color: var(--accent-ink); }
p[role='alert'] { color: var(--danger); }
`

type Card = {
  heading: string
  problem?: string | undefined
  children?: Child
  action?: string | null
  keep?: Record<string, string>
}

function cardPage(
  language: Language,
  { heading, problem, children, action = `?lang=${language}`, keep = {} }: Card,
): HtmlPage {
  const texts = ACCOUNT_TEXTS[language]
  const other = language === 'he' ? 'en' : 'he'
  const content = (
    <>
      <h1>{heading}</h1>
      {problem && <p role="alert">{problem}</p>}
      {children}
    </>
  )
  const card =
    action === null ? (
      <div class="card">{content}</div>
    ) : (
      <form class="card" method="post" action={action}>
        {content}
      </form>
    )
  return {
    language,
    title: `${texts.title}: ${heading}`,
    style: STYLE,
    body: (
      <main>
        {card}
        <a href={`?${new URLSearchParams({ lang: other, ...keep })}`} lang={other}>
          {texts.other}
        </a>
      </main>
    ),
  }
}

export function invitationPage(
  language: Language,
  invitation: OpenInvitation,
  user: { name: string } | null,
  more: { problem?: string; name?: string | undefined } = {},
): HtmlPage {
  const texts = ACCOUNT_TEXTS[language]
  const newLogin = (
    <>
      <label>
        {texts.name} <input name="name" autocomplete="name" maxlength={MAX_NAME} value={more.name ?? ''} />
        <small>{texts.nameHint}</small>
      </label>
      {passwordField(texts.password, texts.passwordHint, 'current-password')}
    </>
  )
  return cardPage(language, {
    heading: texts.invited(invitation.businessName, roleName(language, invitation.role)),
    problem: more.problem,
    children: (
      <>
        {emailField(language, invitation.email)}
        {!user && newLogin}
        <button type="submit">{user ? texts.acceptAs(user.name) : texts.accept}</button>
      </>
    ),
  })
}

export function codePage(language: Language, problem?: string): HtmlPage {
  const texts = ACCOUNT_TEXTS[language]
  return cardPage(language, {
    heading: texts.title,
    problem,
    children: (
      <>
        {codeField(texts.code)}
        <button type="submit">{texts.accept}</button>
      </>
    ),
  })
}

export function resetPage(language: Language, email: string, problem?: string): HtmlPage {
  const texts = ACCOUNT_TEXTS[language]
  return cardPage(language, {
    heading: texts.resetFor(email),
    problem,
    children: (
      <>
        {emailField(language, email)}
        {passwordField(texts.newPassword, texts.rules, 'new-password')}
        <button type="submit">{texts.save}</button>
      </>
    ),
  })
}

export function resetDonePage(language: Language): HtmlPage {
  const texts = ACCOUNT_TEXTS[language]
  const link = (
    <p>
      <a href={`../login?lang=${language}`}>{texts.toLogin}</a>
    </p>
  )
  return cardPage(language, { heading: texts.resetDone, children: link, action: null })
}

export function forgotPage(language: Language, hasMail: boolean, problem?: string): HtmlPage {
  const texts = ACCOUNT_TEXTS[language]
  if (!hasMail) return noticePage(language, texts.noMail)
  return cardPage(language, {
    heading: texts.forgot,
    problem,
    children: (
      <>
        <p>{texts.forgotHint}</p>
        <label>
          {texts.email}
          <input name="email" type="email" dir="ltr" autocomplete="username" required autofocus />
        </label>
        <button type="submit">{texts.send}</button>
      </>
    ),
  })
}

export function noticePage(language: Language, heading: string, text?: string): HtmlPage {
  return cardPage(language, { heading, children: text && <p>{text}</p>, action: null })
}

export function loginPage(
  language: Language,
  { next, step = 'password', problem }: { next: string; step?: 'password' | 'code'; problem?: string },
): HtmlPage {
  const texts = ACCOUNT_TEXTS[language]
  const passwordStep = (
    <>
      <label>
        {texts.email} <input name="email" type="email" dir="ltr" autocomplete="username" required autofocus />
      </label>
      <label>
        {texts.password}
        <input name="password" type="password" dir="ltr" autocomplete="current-password" required />
      </label>
    </>
  )
  return cardPage(language, {
    heading: texts.title,
    problem,
    keep: { next },
    children: (
      <>
        <input type="hidden" name="next" value={next} />
        {step === 'code' ? codeField(texts.code) : passwordStep}
        <button type="submit">{texts.toLogin}</button>
        {step === 'password' && <a href={`forgot?lang=${language}`}>{texts.forgot}</a>}
      </>
    ),
  })
}

function codeField(label: string) {
  return (
    <label>
      {label}
      <input name="code" dir="ltr" autocomplete="one-time-code" required autofocus />
    </label>
  )
}

function emailField(language: Language, email: string) {
  return (
    <label>
      {ACCOUNT_TEXTS[language].email}
      <input type="email" value={email} dir="ltr" autocomplete="username" readonly />
    </label>
  )
}

function passwordField(label: string, hint: string, autocomplete: 'new-password' | 'current-password') {
  return (
    <label>
      {label}
      <input name="password" type="password" dir="ltr" autocomplete={autocomplete} required autofocus maxlength={128} />
      <small>{hint}</small>
    </label>
  )
}
