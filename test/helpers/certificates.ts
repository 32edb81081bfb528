import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import forge from 'node-forge';
import { onTestFinished } from 'vitest';

const DAY_MS = 24 * 60 * 60 * 1000;
/** The name that certificates are for unless a test says otherwise. */
const NAME = 'source.test';

/** What a server proves its identity by, as PEM. */
export interface Identity {
  key: string;
  cert: string;
}

export interface CertificateOptions {
  /** The only DNS name that it is for. */
  name?: string;
  /** From when to when it is valid, in days from now: TLS goes by the system's clock. */
  validDays?: readonly [from: number, to: number];
}

/** Certifies servers. Nobody trusts it unless told to. */
export interface Authority {
  /** Its own certificate, as PEM. */
  readonly cert: string;
  certify: (options?: CertificateOptions) => Identity;
}

/** A new authority with a key of its own, be it under the name of another one. */
export function createAuthority(name = 'Test authority'): Authority {
  const issuer = { name, key: createKey() };
  const extensions = [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, critical: true },
  ];
  return {
    cert: sign({ name, key: issuer.key, extensions, issuer }),
    certify: ({ name = NAME, validDays } = {}) => {
      const key = createKey();
      return { key: key.pem, cert: sign({ name, key, extensions: [dnsName(name)], issuer, validDays }) };
    },
  };
}

/** An authority that this process trusts, besides those it trusts anyway, until the running test ends. */
export function createTrustedAuthority(): Authority {
  const trusted = getCACertificates('default');
  const authority = createAuthority();
  setDefaultCACertificates([...trusted, authority.cert]);
  onTestFinished(() => setDefaultCACertificates(trusted));
  return authority;
}

/** What a server says of itself, with nobody to vouch for it. */
export function createSelfSigned(name = NAME): Identity {
  const key = createKey();
  return { key: key.pem, cert: sign({ name, key, extensions: [dnsName(name)], issuer: { name, key } }) };
}

interface Key {
  pem: string;
  private: forge.pki.rsa.PrivateKey;
  public: forge.pki.rsa.PublicKey;
}

function createKey(): Key {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return {
    pem: privateKey,
    private: forge.pki.privateKeyFromPem(privateKey),
    public: forge.pki.publicKeyFromPem(publicKey),
  };
}

interface Contents {
  name: string;
  key: Key;
  extensions: object[];
  issuer: { name: string; key: Key };
  validDays?: CertificateOptions['validDays'];
}

function sign({ name, key, extensions, issuer, validDays: [from, to] = [-1, 1] }: Contents): string {
  const certificate = forge.pki.createCertificate();
  certificate.serialNumber = `01${randomBytes(8).toString('hex')}`; // positive whatever follows
  certificate.publicKey = key.public;
  certificate.validity.notBefore = new Date(Date.now() + from * DAY_MS);
  certificate.validity.notAfter = new Date(Date.now() + to * DAY_MS);
  certificate.setSubject([{ name: 'commonName', value: name }]);
  certificate.setIssuer([{ name: 'commonName', value: issuer.name }]);
  certificate.setExtensions(extensions);
  certificate.sign(issuer.key.private, forge.md.sha256.create());
  return forge.pki.certificateToPem(certificate);
}

/** The name that counts: the subject's own must not be used for it (RFC 9525, section 2). */
function dnsName(value: string): object {
  return { name: 'subjectAltName', altNames: [{ type: 2, value }] };
}
