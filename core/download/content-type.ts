/**
 * Whether a response's type is among the wanted ones: `image/png`, or `image/*` for all of a kind; parameters and case
 * make no difference. A response without a type is not wanted; without a list everything is.
 */
export function isWantedType(contentType: string | undefined, wanted: readonly string[] | undefined): boolean {
  if (wanted === undefined) return true;
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return wanted.some((pattern) => {
    const [kind = '', subtype] = pattern.toLowerCase().split('/');
    return subtype === '*' ? type.startsWith(`${kind}/`) : type === `${kind}/${subtype ?? ''}`;
  });
}
