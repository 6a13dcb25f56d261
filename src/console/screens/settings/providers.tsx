import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Loaded } from '../../ui/states.tsx'
import { Ago } from '../../ui/values.tsx'

type Provider = Out<'credentials.list'>['items'][number]['provider']
type Credentials = Out<'credentials.list'>['items'][number]

/** The keys of each provider, as it names them itself. */
const KEYS = {
  twilio: [
    { name: 'accountSid', label: 'Account SID' },
    { name: 'authToken', label: 'Auth Token', secret: true },
    { name: 'whatsappFrom', label: 'WhatsApp sender', optional: true, placeholder: 'whatsapp:+14155238886' },
  ],
  openai: [
    { name: 'apiKey', label: 'API key', secret: true },
    { name: 'model', label: 'Realtime model', optional: true },
  ],
  anthropic: [{ name: 'apiKey', label: 'API key', secret: true }],
  google: [{ name: 'apiKey', label: 'API key', secret: true }],
  compatible: [
    { name: 'baseUrl', label: 'Base URL', placeholder: 'https://models.example.com/v1' },
    { name: 'apiKey', label: 'API key', secret: true, optional: true },
  ],
  paypal: [
    { name: 'clientId', label: 'Client ID' },
    { name: 'clientSecret', label: 'Secret', secret: true },
    { name: 'webhookId', label: 'Webhook ID' },
  ],
  tranzila: [
    { name: 'terminal', label: 'Terminal' },
    { name: 'appKey', label: 'App key', secret: true },
    { name: 'secret', label: 'Secret', secret: true },
  ],
} as const satisfies Record<
  Provider,
  readonly { name: string; label: string; secret?: true; optional?: true; placeholder?: string }[]
>
const TITLES = {
  twilio: 'Twilio',
  openai: 'OpenAI',
  anthropic: 'Anthropic',
  google: 'Google Gemini',
  compatible: 'OpenAI-compatible',
  paypal: 'PayPal',
  tranzila: 'Tranzila',
} as const
const PROVIDERS = ['twilio', 'openai', 'anthropic', 'google', 'compatible', 'paypal', 'tranzila'] as const

export function ProviderSettings() {
  const t = useTranslations('providers')
  const list = useQuery(query('credentials.list'))
  return (
    <>
      <p className="max-w-2xl text-muted">{t('intro')}</p>
      <Loaded of={list}>
        {({ items }) => (
          <>
            {PROVIDERS.map((provider) => (
              <ProviderKeys
                key={provider}
                provider={provider}
                present={items.find((item) => item.provider === provider) ?? null}
              />
            ))}
          </>
        )}
      </Loaded>
    </>
  )
}

function ProviderKeys({ provider, present }: { provider: Provider; present: Credentials | null }) {
  const t = useTranslations('providers')
  const state = useTranslations('state')
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['credentials'] }) }
  const set = useMutation({ ...mutation('credentials.set'), ...done })
  const remove = useMutation({ ...mutation('credentials.remove'), ...done })
  return (
    <Panel title={TITLES[provider]}>
      {present ? (
        <div className="flex flex-wrap items-center gap-3">
          <span className="min-w-0 flex-1">
            {t('own')} <code dir="ltr">{present.hint}</code>, <Ago at={present.updatedAt} className="text-muted" />
          </span>
          <Confirm
            label={state('remove')}
            question={t('removeQuestion')}
            onConfirm={() => remove.mutate({ provider })}
          />
        </div>
      ) : (
        <p className="text-muted">{t('installation')}</p>
      )}
      <details>
        <summary className="cursor-pointer">{present ? t('replace') : t('set')}</summary>
        <form
          className="mt-3 flex flex-col gap-3"
          autoComplete="off"
          onSubmit={(event) => {
            event.preventDefault()
            const element = event.currentTarget
            const given = [...new FormData(element)].map(([name, value]) => [name, String(value).trim()] as const)
            set.mutate(
              { provider, keys: Object.fromEntries(given.filter(([, value]) => value !== '')) },
              { onSuccess: () => element.reset() },
            )
          }}
        >
          {KEYS[provider].map((key) => (
            <Field
              key={key.name}
              label={`${TITLES[provider]}: ${key.label}`}
              {...('optional' in key ? { hint: t('optional') } : {})}
            >
              {(className) => (
                <input
                  name={key.name}
                  type={'secret' in key ? 'password' : 'text'}
                  dir="ltr"
                  autoComplete="off"
                  required={!('optional' in key)}
                  placeholder={'placeholder' in key ? key.placeholder : undefined}
                  className={className}
                />
              )}
            </Field>
          ))}
          <Act type="submit" look="main" className="self-start" isDisabled={set.isPending}>
            {state('save')}
          </Act>
        </form>
      </details>
      <Problem error={set.error ?? remove.error} />
      {set.isSuccess && <p role="status">{t('saved')}</p>}
    </Panel>
  )
}
