const here = document.getElementById("docs");
window.ui = SwaggerUIBundle({
  url: here.dataset.description,
  domNode: here,
  persistAuthorization: true,
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
