/** @jsxImportSource hono/jsx */
import type { AppError } from '../lib/errors.ts'
import type { HtmlPage } from './html-page.tsx'
import { LOOK } from './page-look.ts'

const STYLE = `${LOOK}
body { display: grid; place-items: center; min-height: 100svh; padding: 1rem; }
main { width: min(30rem, 100%); padding: 2rem; border: 1px solid var(--line); border-radius: 12px; background: var(--surface); }
h1 { margin: 0 0 0.5rem; font-size: 1.25rem; }
p { margin: 0 0 1rem; line-height: 1.5; overflow-wrap: anywhere; }
small { color: var(--muted); }
`

const TEXTS = {
  en: {
    missing: ['There is no such page', 'Check the address, or begin at the start page.'],
    gone: ['There is no such page', 'The link is wrong or no longer exists.'],
    login: ['You are not logged in', 'Log in to see this page.'],
    forbidden: ['You may not see this page', 'Ask an owner of the business for the permission.'],
    busy: ['Not available right now', 'Wait a moment, then load the page again.'],
    refused: ['This did not work', 'Go back and try again.'],
    later: (minutes: number) => `Wait ${minutes} minutes, then try again.`,
    start: 'Start page',
    toLogin: 'Log in',
  },
  he: {
    missing: ['אין דף כזה', 'בדקו את הכתובת, או התחילו מדף הבית.'],
    gone: ['אין דף כזה', 'הקישור שגוי או שאינו קיים עוד.'],
    login: ['אינכם מחוברים', 'התחברו כדי לראות את הדף.'],
    forbidden: ['אין לכם הרשאה לדף הזה', 'בקשו אותה מאחד מבעלי העסק.'],
    busy: ['לא זמין כרגע', 'המתינו רגע וטענו את הדף שוב.'],
    refused: ['זה לא הצליח', 'חזרו אחורה ונסו שוב.'],
    later: (minutes: number) => `המתינו ${minutes} דקות ונסו שוב.`,
    start: 'לדף הבית',
    toLogin: 'כניסה',
  },
} as const

/**
 * What a person sees in a browser when a page fails: what happened, what to do, and the code for a report. Customers, on pages below
 * `/book` and `/pay`, are not led to the console.
 */
export function errorPage(language: 'he' | 'en', error: AppError, path: string): HtmlPage {
  const texts = TEXTS[language]
  const kind = kindOf(error)
  const isCustomers = /^\/(?:book|pay)(?:\/|$)/.test(path)
  const [title, usual] = texts[isCustomers && kind === 'missing' ? 'gone' : kind]
  const minutes = Math.ceil((error.retryAfterSeconds ?? 0) / 60)
  const hint = minutes > 1 ? texts.later(minutes) : usual
  const needsLogin = error.status === 401
  return {
    language,
    title: isCustomers ? title : `AgentLocator: ${title}`,
    style: STYLE,
    body: (
      <main>
        <h1>{title}</h1>
        <p>{hint}</p>
        {!isCustomers && (
          <p>
            <a href={needsLogin ? '/admin/login' : '/console'}>{needsLogin ? texts.toLogin : texts.start}</a>
          </p>
        )}
        <small dir="ltr">
          {error.status} · {error.code}
        </small>
      </main>
    ),
  }
}

function kindOf({ status }: AppError): 'missing' | 'login' | 'forbidden' | 'busy' | 'refused' {
  if (status === 404 || status === 410) return 'missing'
  if (status === 401) return 'login'
  if (status === 403) return 'forbidden'
  return status === 429 || status >= 500 ? 'busy' : 'refused'
}
