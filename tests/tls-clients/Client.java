import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Posts what it reads, over TLS as Java speaks it, and writes what comes back: PORT SERVER_NAME CA_FILE ALPN. */
class Client {
    public static void main(String[] args) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var file = new FileInputStream(args[2])) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        var version = args[3].equals("h2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1;
        var client = HttpClient.newBuilder().sslContext(context).version(version).build();
        // -Djdk.net.hosts.file leads the name to loopback
        var request = HttpRequest.newBuilder(URI.create("https://" + args[1] + ":" + args[0] + "/v1/messages"))
                .POST(HttpRequest.BodyPublishers.ofByteArray(System.in.readAllBytes())).build();
        var response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
        if (response.version() != version) {
            throw new IllegalStateException(response.version() + " where " + version + " was wanted");
        }
        System.out.write(response.body());
        System.out.flush();
    }
}
