import { useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import { Act } from './buttons.tsx'

/** A text to take along, such as a link or a key, with a button that copies it. */
export function Copyable({ label, value }: { label: string; value: string }) {
  const t = useTranslations('state')
  const [copied, setCopied] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  const copy = async () => {
    field.current?.select()
    // Only pages with a certificate, and those of this machine, have a clipboard.
    if (navigator.clipboard) await navigator.clipboard.writeText(value)
    else document.execCommand('copy')
    setCopied(true)
  }
  return (
    <div role="status" className="flex flex-col gap-2 rounded-lg bg-accent-soft p-3">
      <label className="flex flex-col gap-1">
        <span className="font-medium">{label}</span>
        <input
          ref={field}
          readOnly
          dir="ltr"
          value={value}
          onFocus={(event) => event.currentTarget.select()}
          className="w-full rounded-lg border border-line bg-page px-3 py-2 font-mono text-sm"
        />
      </label>
      <div className="flex items-center gap-3">
        <Act onPress={() => void copy().catch(() => setCopied(false))}>{t('copy')}</Act>
        {copied && <span>{t('copied')}</span>}
      </div>
    </div>
  )
}
