import { useTranslations } from 'use-intl'
import { type Role, useAccess } from '../app/access.ts'
import { Act } from './buttons.tsx'

/** The end of a form: its button, for those with the role, and that it was saved. */
export function SaveRow({ of, needs }: { of: { isPending: boolean; isSuccess: boolean }; needs: Role }) {
  const t = useTranslations('state')
  const { may } = useAccess()
  if (!may(needs)) return null
  return (
    <div className="flex items-center gap-3">
      <Act type="submit" look="main" isDisabled={of.isPending}>
        {t('save')}
      </Act>
      {of.isSuccess && <span role="status">{t('saved')}</span>}
    </div>
  )
}
