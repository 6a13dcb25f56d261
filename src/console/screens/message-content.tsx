import { Link } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { Icon } from '../ui/icon.tsx'
import { Money, Written } from '../ui/values.tsx'
import type { Message } from './entry.ts'

/** The text of a message, or what has a form of its own. */
export function MessageContent({ message }: { message: Message }) {
  const t = useTranslations('message')
  const { data, body, kind, referral } = message
  const shownElsewhere = data.contacts !== undefined || data.poll !== undefined
  return (
    <>
      {referral && <Referral {...referral} />}
      {data.latitude !== undefined && data.longitude !== undefined && <Place message={message} />}
      {data.contacts?.map((card, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: cards have no id and do not move
        <Card key={index} card={card} />
      ))}
      {data.poll && <Poll poll={data.poll} votes={message.votes} />}
      {kind === 'choice' && <small className="text-muted">{t('chose')}</small>}
      {kind === 'reaction' && (
        <small className="text-muted">{t(body === '' ? 'reactionTakenBack' : 'reactionSent')}</small>
      )}
      {kind === 'order' && <small className="text-muted">{t('order')}</small>}
      {kind === 'event' && <small className="text-muted">{t('event')}</small>}
      {kind === 'unsupported' && (
        <em className="text-muted">
          {t('unsupported')} {data.type && <bdi>({data.type})</bdi>}
        </em>
      )}
      {kind === 'undecryptable' && <em className="text-muted">{t('undecryptable')}</em>}
      {body !== '' && !shownElsewhere && kind !== 'location' && <Written>{body}</Written>}
      {data.choice?.description && <Written className="text-muted text-sm">{data.choice.description}</Written>}
      {data.product?.amount != null && data.product.currency && (
        <Money amount={data.product.amount} currency={data.product.currency} />
      )}
      {isEmpty(message) && <em className="text-muted">{t('other')}</em>}
    </>
  )
}

const OTHERWISE_SHOWN = new Set(['unsupported', 'undecryptable', 'reaction'])

function isEmpty({ body, media, data, kind }: Message): boolean {
  if (body !== '' || media.length > 0 || OTHERWISE_SHOWN.has(kind)) return false
  return data.latitude === undefined && !data.contacts && !data.poll
}

function Place({ message: { data, body } }: { message: Message }) {
  const t = useTranslations('message')
  return (
    <a
      className="flex items-center gap-3 rounded-xl bg-raised px-3 py-2"
      rel="noreferrer"
      target="_blank"
      href={`https://www.google.com/maps?q=${data.latitude},${data.longitude}`}
    >
      <Icon name="pin" className="!size-7 text-danger" />
      <span className="min-w-0">
        <span className="block font-medium underline">{data.live ? t('liveLocation') : t('location')}</span>
        <Written className="text-sm">{body}</Written>
      </span>
    </a>
  )
}

function Card({ card }: { card: NonNullable<Message['data']['contacts']>[number] }) {
  const t = useTranslations('message')
  return (
    <div className="flex items-start gap-3 rounded-xl bg-raised px-3 py-2">
      <Icon name="people" className="mt-1" />
      <div className="min-w-0">
        <span className="sr-only">{t('contactCard')} </span>
        <bdi className="block font-medium">{card.name}</bdi>
        {card.organization && <bdi className="block text-muted text-sm">{card.organization}</bdi>}
        {card.phones.map((phone) => (
          <span key={phone} className="flex flex-wrap gap-x-3 text-sm">
            <a href={`tel:${phone.replace(/[^\d+]/g, '')}`} className="underline">
              <bdi dir="ltr">{phone}</bdi>
            </a>
            <Link to="/contacts" search={{ create: phone, name: card.name }} className="underline">
              {t('saveContact')}
            </Link>
          </span>
        ))}
        {card.emails?.map((email) => (
          <bdi key={email} dir="ltr" className="block text-sm">
            {email}
          </bdi>
        ))}
      </div>
    </div>
  )
}

function Poll({ poll, votes }: { poll: NonNullable<Message['data']['poll']>; votes: Message['votes'] }) {
  const t = useTranslations('message')
  return (
    <div className="flex flex-col gap-1">
      <Written className="font-medium">{poll.question}</Written>
      <ul className="flex flex-col gap-1">
        {poll.options.map((option) => {
          const count = votes.filter(({ options }) => options.includes(option)).length
          return (
            <li key={option} className="flex justify-between gap-4 rounded-lg bg-raised px-2 py-1 text-sm">
              <Written>{option}</Written>
              <span className="text-muted">{t('votes', { count })}</span>
            </li>
          )
        })}
      </ul>
    </div>
  )
}

/** The advertisement or post that they wrote from. */
function Referral({ headline, body, url }: NonNullable<Message['referral']>) {
  const t = useTranslations('message')
  const text = headline ?? body
  return (
    <div className="rounded-xl bg-raised px-3 py-2 text-sm">
      <span className="block text-muted">{t('referral')}</span>
      {text && <Written>{text}</Written>}
      {url?.startsWith('https://') && (
        <a href={url} rel="noreferrer" target="_blank" className="block truncate underline" dir="ltr">
          {url}
        </a>
      )}
    </div>
  )
}
