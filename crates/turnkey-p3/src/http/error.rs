//! The errors of `wasi:http/types`, as guests get and give them.

use turnkey_http::{ErrorCode as Core, FieldSize, HeaderError as CoreHeaderError};
use wasmtime::component::{ComponentType, Lift, Lower};

/// `DNS-error-payload`
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub struct DnsErrorPayload {
    rcode: Option<String>,
    #[component(name = "info-code")]
    info_code: Option<u16>,
}

/// `TLS-alert-received-payload`
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub struct TlsAlertReceivedPayload {
    #[component(name = "alert-id")]
    alert_id: Option<u8>,
    #[component(name = "alert-message")]
    alert_message: Option<String>,
}

/// `field-size-payload`
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub struct FieldSizePayload {
    #[component(name = "field-name")]
    field_name: Option<String>,
    #[component(name = "field-size")]
    field_size: Option<u32>,
}

/// Each code with its word in the standard, in its order; and with what it holds here and in the core, written so that it is a
/// pattern and a value.
macro_rules! error_code {
    ($($name:ident $(($held:ty))? = $word:literal: $($here:tt $core:tt)|+,)*) => {
        /// `error-code`
        #[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
        #[component(variant)]
        #[expect(missing_docs, reason = "the standard's own names say what there is to say")]
        pub enum ErrorCode {
            $(#[component(name = $word)] $name $(($held))?,)*
        }

        impl From<Core> for ErrorCode {
            fn from(code: Core) -> Self {
                match code { $($(Core::$name $core => ErrorCode::$name $here,)+)* }
            }
        }

        impl From<ErrorCode> for Core {
            fn from(code: ErrorCode) -> Self {
                match code { $($(ErrorCode::$name $here => Core::$name $core,)+)* }
            }
        }
    };
}

error_code! {
    DnsTimeout = "DNS-timeout": {} {},
    DnsError(DnsErrorPayload) = "DNS-error": (DnsErrorPayload { rcode, info_code }) { rcode, info_code },
    DestinationNotFound = "destination-not-found": {} {},
    DestinationUnavailable = "destination-unavailable": {} {},
    DestinationIpProhibited = "destination-IP-prohibited": {} {},
    DestinationIpUnroutable = "destination-IP-unroutable": {} {},
    ConnectionRefused = "connection-refused": {} {},
    ConnectionTerminated = "connection-terminated": {} {},
    ConnectionTimeout = "connection-timeout": {} {},
    ConnectionReadTimeout = "connection-read-timeout": {} {},
    ConnectionWriteTimeout = "connection-write-timeout": {} {},
    ConnectionLimitReached = "connection-limit-reached": {} {},
    TlsProtocolError = "TLS-protocol-error": {} {},
    TlsCertificateError = "TLS-certificate-error": {} {},
    TlsAlertReceived(TlsAlertReceivedPayload) = "TLS-alert-received":
        (TlsAlertReceivedPayload { alert_id, alert_message }) { alert_id, alert_message },
    HttpRequestDenied = "HTTP-request-denied": {} {},
    HttpRequestLengthRequired = "HTTP-request-length-required": {} {},
    HttpRequestBodySize(Option<u64>) = "HTTP-request-body-size": (held) (held),
    HttpRequestMethodInvalid = "HTTP-request-method-invalid": {} {},
    HttpRequestUriInvalid = "HTTP-request-URI-invalid": {} {},
    HttpRequestUriTooLong = "HTTP-request-URI-too-long": {} {},
    HttpRequestHeaderSectionSize(Option<u32>) = "HTTP-request-header-section-size": (held) (held),
    HttpRequestHeaderSize(Option<FieldSizePayload>) = "HTTP-request-header-size":
        (None) (None)
        | (Some(FieldSizePayload { field_name: name, field_size: size })) (Some(FieldSize { name, size })),
    HttpRequestTrailerSectionSize(Option<u32>) = "HTTP-request-trailer-section-size": (held) (held),
    HttpRequestTrailerSize(FieldSizePayload) = "HTTP-request-trailer-size":
        (FieldSizePayload { field_name: name, field_size: size }) (FieldSize { name, size }),
    HttpResponseIncomplete = "HTTP-response-incomplete": {} {},
    HttpResponseHeaderSectionSize(Option<u32>) = "HTTP-response-header-section-size": (held) (held),
    HttpResponseHeaderSize(FieldSizePayload) = "HTTP-response-header-size":
        (FieldSizePayload { field_name: name, field_size: size }) (FieldSize { name, size }),
    HttpResponseBodySize(Option<u64>) = "HTTP-response-body-size": (held) (held),
    HttpResponseTrailerSectionSize(Option<u32>) = "HTTP-response-trailer-section-size": (held) (held),
    HttpResponseTrailerSize(FieldSizePayload) = "HTTP-response-trailer-size":
        (FieldSizePayload { field_name: name, field_size: size }) (FieldSize { name, size }),
    HttpResponseTransferCoding(Option<String>) = "HTTP-response-transfer-coding": (held) (held),
    HttpResponseContentCoding(Option<String>) = "HTTP-response-content-coding": (held) (held),
    HttpResponseTimeout = "HTTP-response-timeout": {} {},
    HttpUpgradeFailed = "HTTP-upgrade-failed": {} {},
    HttpProtocolError = "HTTP-protocol-error": {} {},
    LoopDetected = "loop-detected": {} {},
    ConfigurationError = "configuration-error": {} {},
    InternalError(Option<String>) = "internal-error": (held) (held),
}

/// `header-error`
#[derive(ComponentType, Lower, Clone, Debug, PartialEq, Eq)]
#[component(variant)]
pub(crate) enum HeaderError {
    #[component(name = "invalid-syntax")]
    InvalidSyntax,
    #[component(name = "forbidden")]
    Forbidden,
    #[component(name = "immutable")]
    Immutable,
    #[component(name = "size-exceeded")]
    SizeExceeded,
    #[component(name = "other")]
    #[expect(dead_code, reason = "the standard has it, and nothing here needs it")]
    Other(Option<String>),
}

impl From<CoreHeaderError> for HeaderError {
    fn from(error: CoreHeaderError) -> Self {
        match error {
            CoreHeaderError::InvalidSyntax => HeaderError::InvalidSyntax,
            CoreHeaderError::Forbidden => HeaderError::Forbidden,
            CoreHeaderError::Immutable => HeaderError::Immutable,
            CoreHeaderError::SizeExceeded => HeaderError::SizeExceeded,
        }
    }
}

/// `request-options-error`
#[derive(ComponentType, Lower, Clone, Debug, PartialEq, Eq)]
#[component(variant)]
#[expect(dead_code, reason = "the standard has them all; all timeouts are supported")]
pub(crate) enum RequestOptionsError {
    #[component(name = "not-supported")]
    NotSupported,
    #[component(name = "immutable")]
    Immutable,
    #[component(name = "other")]
    Other(Option<String>),
}
