/** @jsxImportSource hono/jsx */
import type { Child } from 'hono/jsx'
import type { PublicPayment } from '../../domain/payments/index.ts'
import type { HtmlPage } from '../html-page.tsx'
import { LOOK } from '../page-look.ts'
import { PAY_TEXTS, type PayLanguage } from './texts.ts'

export type PayView = {
  payment: PublicPayment
  money: string
  language: PayLanguage
  status: PublicPayment['status'] | 'checking'
  notice: 'canceled' | 'unconfirmed' | 'trouble' | null
  refresh: { seconds: number; url: string } | null
  /** The appointment whose deposit it is. */
  appointment: { url: string; isOver: boolean } | null
}

type Tone = 'plain' | 'good' | 'bad' | 'wait'

const ICONS: Record<Exclude<Tone, 'plain'>, string> = {
  good: 'M14 25l7 7 13-15',
  bad: 'M24 13v14m0 7v.5',
  wait: 'M24 13v12l8 5',
}
const TONES: Record<PayView['status'], Tone> = {
  payable: 'plain',
  checking: 'wait',
  processing: 'wait',
  paid: 'good',
  failed: 'bad',
  expired: 'bad',
  refunded: 'good',
  unavailable: 'bad',
}

function Icon({ tone }: { tone: Exclude<Tone, 'plain'> }) {
  return (
    <svg viewBox="0 0 48 48" aria-hidden="true">
      <circle cx="24" cy="24" r="22" />
      <path d={ICONS[tone]} />
    </svg>
  )
}

export function payPage(view: PayView): HtmlPage {
  const { payment, language, status, notice } = view
  const texts = PAY_TEXTS[language]
  const payable = status === 'payable' || status === 'failed'
  const here = `/pay/${payment.id}`
  const body = (
    <>
      <p class="to">{texts.to}</p>
      <h1>
        <bdi>{payment.business.name}</bdi>
      </h1>
      <Status language={language} status={status} />
      {notice && (
        <p class="notice" role={notice === 'trouble' ? 'alert' : 'status'}>
          {texts[notice]}
        </p>
      )}
      {payable && view.appointment?.isOver && (
        <p class="notice" role="alert">
          {texts.released}
        </p>
      )}
      <Details view={view} label={payable ? texts.toPay : texts.amount} />
      {payable && <Checkout view={view} action={`${here}/checkout`} />}
      {view.appointment && (
        <p class="more">
          <a href={`${view.appointment.url}?lang=${language}`}>{texts.appointment}</a>
        </p>
      )}
      {(notice === 'unconfirmed' || status === 'processing') && (
        <p class="more">
          <a href={`${here}?checking=1`}>{texts.refresh}</a>
        </p>
      )}
    </>
  )
  const title = status === 'payable' ? texts.title : texts.status[status].title
  return {
    ...frame(language, `${here}?lang=${texts.other.code}${notice === 'canceled' ? '&canceled=1' : ''}`, body),
    title: `${title} · ${payment.business.name}`,
    ...(view.refresh
      ? { head: <meta http-equiv="refresh" content={`${view.refresh.seconds};url=${view.refresh.url}`} /> }
      : {}),
  }
}

function Status({ language, status }: Pick<PayView, 'language' | 'status'>) {
  if (status === 'payable') return null
  const tone = TONES[status]
  const { title, text } = PAY_TEXTS[language].status[status]
  return (
    <div class={`status ${tone}`} role="status">
      {tone !== 'plain' && <Icon tone={tone} />}
      <h2>{title}</h2>
      <p>{text}</p>
    </div>
  )
}

function Details({ view: { payment, language, status, money }, label }: { view: PayView; label: string }) {
  const texts = PAY_TEXTS[language]
  return (
    <dl>
      <div class="what">
        <dt class="unseen">{texts.title}</dt>
        <dd>
          <bdi>{payment.description}</bdi>
        </dd>
      </div>
      <div class="sum">
        <dt>{label}</dt>
        <dd>
          <bdi>{money}</bdi>
        </dd>
      </div>
      {payment.paidAt && (status === 'paid' || status === 'refunded') && (
        <>
          <Fact term={texts.paidOn} value={formatDate(language, payment.paidAt)} />
          <Fact term={texts.reference} value={payment.id.slice(-12)} />
        </>
      )}
    </dl>
  )
}

function Fact({ term, value }: { term: string; value: string }) {
  return (
    <div class="fact">
      <dt>{term}</dt>
      <dd>
        <bdi>{value}</bdi>
      </dd>
    </div>
  )
}

function Checkout({ view: { payment, language, status }, action }: { view: PayView; action: string }) {
  const texts = PAY_TEXTS[language]
  return (
    <>
      <form method="post" action={action}>
        <input type="hidden" name="lang" value={language} />
        <button type="submit">
          <svg class="lock" viewBox="0 0 24 24" aria-hidden="true">
            <path d="M7 10V7a5 5 0 0 1 10 0v3" />
            <rect x="4.5" y="10" width="15" height="10.5" rx="2.5" />
          </svg>
          {status === 'failed' ? texts.again : texts.pay}
        </button>
      </form>
      <p class="safe">{texts[payment.provider]}</p>
    </>
  )
}

export function missingPage(language: PayLanguage): HtmlPage {
  const { title, text } = PAY_TEXTS[language].missing
  const body = (
    <div class="status bad" role="status">
      <Icon tone="bad" />
      <h1>{title}</h1>
      <p>{text}</p>
    </div>
  )
  return { ...frame(language, `?lang=${PAY_TEXTS[language].other.code}`, body), title }
}

function frame(language: PayLanguage, switchTo: string, content: Child) {
  const { other } = PAY_TEXTS[language]
  const body = (
    <>
      <nav>
        <a href={switchTo} lang={other.code} hreflang={other.code}>
          {other.name}
        </a>
      </nav>
      <main>{content}</main>
    </>
  )
  return { language, style: STYLE, body }
}

function formatDate(language: PayLanguage, date: Date): string {
  return new Intl.DateTimeFormat(language === 'he' ? 'he-IL' : 'en-GB', {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: 'Asia/Jerusalem',
  }).format(date)
}

const STYLE = `${LOOK}
:root { --good: var(--accent); }
body { min-height: 100svh; display: grid; grid-template-rows: auto 1fr; font-size: 1.0625rem; line-height: 1.5; }
nav { display: flex; justify-content: flex-end; padding: .5rem 1rem; }
nav a, .more a { display: inline-flex; align-items: center; min-height: 44px; padding-inline: .75rem; color: var(--muted);
  text-underline-offset: .2em; }
main { width: min(27rem, 100% - 2rem); margin: 0 auto 2rem; align-self: start; padding: 1.75rem 1.5rem; border-radius: 20px;
  background: var(--surface); border: 1px solid var(--line); text-align: center; }
h1, h2, p, dl, dd { margin: 0; }
h1, h2, p { text-wrap: balance; }
.to { color: var(--muted); font-size: .9375rem; }
h1 { font-size: 1.375rem; line-height: 1.3; overflow-wrap: anywhere; }
.status { margin-top: 1.5rem; }
.status h2 { font-size: 1.25rem; }
.status p { margin-top: .25rem; color: var(--muted); }
.status svg { width: 56px; height: 56px; margin-bottom: .5rem; fill: none; stroke: currentColor; stroke-width: 3;
  stroke-linecap: round; stroke-linejoin: round; }
.good svg, .good h2 { color: var(--good); } .bad svg, .bad h2, .bad h1 { color: var(--danger); } .wait svg, .wait h2 { color: var(--warn); }
.notice { margin-top: 1.25rem; padding: .75rem 1rem; border-radius: 12px; background: var(--raised); text-align: start; }
dl { margin-top: 1.5rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
dt { color: var(--muted); font-size: .9375rem; }
.what dd { overflow-wrap: anywhere; }
.sum { margin-top: .75rem; }
.sum dd { font-size: 2.5rem; line-height: 1.2; font-weight: 700; font-variant-numeric: tabular-nums; }
.fact { display: flex; justify-content: space-between; gap: 1rem; padding-top: .75rem; text-align: start; }
.fact dd { text-align: end; }
form { margin-top: 1.5rem; }
button { width: 100%; min-height: 56px; display: flex; align-items: center; justify-content: center; gap: .625rem; padding: .75rem 1rem;
  border: 0; border-radius: 14px; background: var(--accent); color: var(--accent-ink); font: inherit; font-size: 1.1875rem; font-weight: 650; cursor: pointer; }
button:hover { filter: brightness(1.08); } button:active { transform: translateY(1px); }
.lock { width: 1.25rem; height: 1.25rem; fill: none; stroke: currentColor; stroke-width: 2; }
.safe { margin-top: 1rem; color: var(--muted); font-size: .875rem; }
.more { margin-top: .75rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media (min-width: 40rem) { main { margin-top: 6vh; padding: 2.25rem 2rem; box-shadow: 0 12px 40px rgb(0 0 0 / 8%); } }
@media (prefers-reduced-motion: no-preference) { .wait svg path { transform-origin: 24px 24px; animation: turn 2.4s linear infinite; } }
@keyframes turn { to { transform: rotate(360deg); } }
@media (forced-colors: active) { button { border: 1px solid; } }
`
